/*
 * The set of voters changes. Each of the N nodes is on one set, votes, and may
 * campaign under its own set only. A lease is a timer from the start of its one
 * open attempt, as the fence is shown by election.pml.
 *
 * The memory of the last set is of a disk; a restarted voter is silent.
 */
#ifndef E
#define E 1 /* the longest life of a lease, the shortest of a grant, in true time */
#endif
#ifndef N
#define N 4
#endif

/* The sets that files may name, by their members. FROM is where all begin. */
#ifndef FROM
#define FROM 7      /* 1 2 3 */
#define TO1 15      /* 1 2 3 4 */
#define TO2 3       /* 1 2 */
#endif
#ifndef TO2
#define TO2 TO1
#endif
#define SET(s) ((s) == 0 -> FROM : ((s) == 1 -> TO1 : TO2))
#define SIZE(m) (((m) & 1) + (((m) >> 1) & 1) + (((m) >> 2) & 1) + (((m) >> 3) & 1) + (((m) >> 4) & 1))
#define MAJORITY(m) (SIZE(m) / 2 + 1)
#define APART(a, b) SIZE((a) ^ (b))
#define BIT(i) (1 << (i))

byte set[N];         /* by node */
byte seen[N];        /* by node: a holder was seen under its set */
byte disk[N];        /* the last set under which one was */
byte owner[N];       /* whom it granted, + 1 */
byte left[N];        /* of that, or of its silence */
byte silent[N];
byte attempt[N];     /* what is left of the open attempt's start */
byte behind[N];      /* who granted it, a mask */
byte lease[N];
byte proven;         /* by set: a holder has said that it holds; it may be heard at any later time */
byte moves;          /* of all nodes */
byte k;

#ifndef MOVES
#define MOVES 3
#endif
/* The rules that can be taken out. */
#ifdef JUMPS /* sets may follow that need not overlap */
#define FOLLOWS(a, b) 1
#else
#define FOLLOWS(a, b) (APART(SET(a), SET(b)) <= 1)
#endif
#ifdef UNSEEN /* no holder need have been seen under the present set */
#define READY(n) 1
#else
#define READY(n) seen[n]
#endif
#ifdef ANY_SET /* voters answer whatever set a candidate has */
#define SAME(v, c) 1
#else
#define SAME(v, c) (set[v] == set[c])
#endif
#define MEMBER(n, s) ((SET(s) >> (n)) & 1)

inline check(c) {
	for (k : 0 .. N - 1) { assert(k == c || lease[k] == 0) };
	k = 0
#ifdef REACH
	; assert(set[c] != 2)
#endif
}

#define CANDIDATE(c) \
	:: d_step { MEMBER(c, set[c]) -> attempt[c] = E; behind[c] = 0 } \
	:: d_step { attempt[c] > 0 && SIZE(behind[c] & SET(set[c])) >= MAJORITY(SET(set[c])) -> \
		lease[c] = attempt[c]; proven = proven | BIT(set[c]); seen[c] = 1; disk[c] = set[c]; check(c) } \
	:: d_step { (proven & BIT(set[c])) && !seen[c] -> seen[c] = 1; disk[c] = set[c] } \
	MOVE(c, 0) MOVE(c, 1) MOVE(c, 2) \
	VOTE(0, c) VOTE(1, c) VOTE(2, c) MORE(c)
#if N > 4
#define MORE(c) VOTE(3, c) VOTE(4, c)
#elif N > 3
#define MORE(c) VOTE(3, c)
#else
#define MORE(c)
#endif

#ifdef ONE_WAY /* files follow one another, and none goes back */
#define ALLOWED(n, s) ((s) > set[n])
#else
#define ALLOWED(n, s) 1
#endif

/* A new node has no memory: people start it with the next set, once a holder has
 * been seen under the one before. */
#ifdef FRESH
#define NEXT(s) 1
#else
#define NEXT(s) (((proven & 1) && APART(SET(0), SET(s)) <= 1) || ((proven & 2) && APART(SET(1), SET(s)) <= 1) || \
	((proven & 4) && APART(SET(2), SET(s)) <= 1))
#endif

/* A reload, a restart with another file, which looks at the disk only, and a first start. */
#define MOVE(n, s) \
	:: d_step { moves < MOVES && set[n] != s && MEMBER(n, s) && MEMBER(n, set[n]) && ALLOWED(n, s) && FOLLOWS(set[n], s) && READY(n) -> \
		moves = moves + 1; set[n] = s; seen[n] = 0; attempt[n] = 0; behind[n] = 0 } \
	:: d_step { MEMBER(n, s) && !MEMBER(n, 0) && set[n] == 0 && s != 0 && NEXT(s) -> \
		set[n] = s; disk[n] = s; silent[n] = 1; left[n] = E } \
	RESTART(n, s)
#ifdef RESTARTS
#define RESTART(n, s) \
	:: d_step { moves < MOVES && set[n] != s && MEMBER(n, s) && MEMBER(n, set[n]) && ALLOWED(n, s) && FOLLOWS(disk[n], s) -> \
		moves = moves + 1; set[n] = s; seen[n] = 0; attempt[n] = 0; behind[n] = 0; lease[n] = 0; \
		owner[n] = 0; silent[n] = 1; left[n] = E }
#else
#define RESTART(n, s)
#endif

#define VOTE(v, c) \
	:: d_step { attempt[c] > 0 && !(behind[c] & BIT(v)) && !silent[v] && SAME(v, c) && MEMBER(v, set[v]) && \
			(owner[v] == 0 || owner[v] == c + 1) -> \
		owner[v] = c + 1; left[v] = E; behind[c] = behind[c] | BIT(v) }

inline tick() {
	for (k : 0 .. N - 1) {
		if :: left[k] > 1 -> left[k]-- :: left[k] == 1 -> left[k] = 0; owner[k] = 0; silent[k] = 0 :: else fi;
		if :: attempt[k] > 1 -> attempt[k]-- :: attempt[k] == 1 -> attempt[k] = 0; behind[k] = 0 :: else fi;
		if :: lease[k] > 0 -> lease[k]-- :: else fi
	};
	k = 0
}

init {
	do
	:: d_step { true -> tick() }
	CANDIDATE(0)
	CANDIDATE(1)
	CANDIDATE(2)
#if N > 3
	CANDIDATE(3)
#endif
#if N > 4
	CANDIDATE(4)
#endif
	od
}
