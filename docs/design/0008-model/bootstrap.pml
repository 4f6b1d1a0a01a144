/*
 * cluster.bootstrap: A's own vote is a majority until a real one has been seen.
 * Three nodes, each a voter; A and B are candidates. A lease here is a timer, as
 * the fence is shown by election.pml; the rest is as there.
 */
#ifndef E
#define E 2 /* the longest life of a lease, the shortest of a grant, in true time */
#endif
#ifndef NA
#define NA 3 /* attempts of A, over all its incarnations */
#endif
#ifndef NB
#define NB 1
#endif
#define A 0
#define B 1
#define BIT(i) (1 << (i))
#define FIRST(c) ((c) == A -> 0 : NA)
#define LAST(c) ((c) == A -> NA : NA + NB)
#define OF(i) ((i) <= NA -> A : B)
#define IN(c) (UPTO(attempt[c]) & ~UPTO(FIRST(c)))
#define UPTO(i) (BIT((i) + 1) - 1)

/* The network: what was sent stays. */
byte requests;          /* by id */
byte releases;          /* by id */
byte granted[3];        /* by voter, by id */
bit told;               /* somebody has said that a majority was seen */

byte grant[3];          /* by voter: the id; 0 is none */
byte left[3];           /* of it, or of the silence */
bit silent[3];

byte attempt[2];        /* the id of the last one */
byte forgotten[2];
byte lease[2];          /* the id that is counted; 0 is none */
byte start[NA + NB + 1]; /* by id: what is left of the lease that began with it */
bit restarted;          /* A was */
byte base;              /* after this id */
byte old;               /* what is left of the lease of before */

bit seen;               /* A has seen a majority */
bit disk;               /* and has written it down */
bit over[2];            /* counts majorities only; others than A: may campaign */
bit tells;              /* A says so */
byte k;

#define HOLDS(c) ((lease[c] != 0 && start[lease[c]] > 0) || ((c) == A && old > 0))
#define ALONE (!over[A])
#define OPEN(i) ((i) > forgotten[OF(i)] && (i) <= attempt[OF(i)] && (requests & BIT(i)))
#define STANDS(v, i) ((granted[v] & IN(OF(i)) & ~UPTO((i) - 1)) != 0)
#define REAL(i) (STANDS(0, i) + STANDS(1, i) + STANDS(2, i) >= 2)

inline check() {
#if defined(REACH_ALONE)
	assert(!(HOLDS(A) && !seen))
#elif defined(REACH_OVER)
	assert(!(HOLDS(A) && tells))
#elif defined(REACH_TAKEOVER)
	assert(!(HOLDS(B)))
#else
	assert(!(HOLDS(A) && HOLDS(B)))
#endif
}
/* What can have no effect any more is taken out of the state. */
inline drop(c, i) {
	k = ~(UPTO(i) & ~UPTO(FIRST(c)));
	granted[0] = granted[0] & k; granted[1] = granted[1] & k; granted[2] = granted[2] & k;
	for (k : FIRST(c) + 1 .. i) { if :: k != lease[c] -> start[k] = 0 :: else fi };
	k = 0
}
inline forget(c) { forgotten[c] = attempt[c]; lease[c] = 0; drop(c, attempt[c]) }

#ifdef TOLD_EARLY /* as soon as it is on disk */
#define TELLS_NOW 1
#else
#define TELLS_NOW (lease[A] == 0)
#endif
#ifdef NO_WAITING /* others campaign without having heard */
#define MAY(c) ((c) == B || 1)
#else
#define MAY(c) ((c) == A || over[c])
#endif
#ifdef NOT_ON_DISK /* told before it is written down */
#define WRITE skip
#else
#define WRITE disk = 1
#endif
#ifdef TOLD_BEFORE_CLEANUP /* a start tells before its predecessor's fence is closed */
#define CLEANUP if :: HOLDS(A) -> old = start[lease[A]] :: else fi
#else
#define CLEANUP skip
#endif

#define CANDIDATE(c) \
	:: d_step { MAY(c) && attempt[c] < LAST(c) -> \
		attempt[c]++; start[attempt[c]] = E; requests = requests | BIT(attempt[c]) } \
	:: d_step { attempt[c] > forgotten[c] -> forget(c); releases = releases | BIT(attempt[c]); \
		if :: c == A && over[A] -> tells = 1; told = 1 :: else fi }

/* A real majority, and what follows for the flag. */
#define ATTEMPT(i) \
	:: d_step { OPEN(i) && (i) > lease[OF(i)] && REAL(i) && (OF(i) == B || over[A]) -> \
		lease[OF(i)] = i; drop(OF(i), i); \
		if :: OF(i) == A -> tells = 1 :: else fi; \
		told = 1; check() } \
	:: d_step { OF(i) == A && ALONE && OPEN(i) && REAL(i) && !seen -> seen = 1 } \
	:: d_step { OF(i) == A && ALONE && OPEN(i) && (i) > lease[A] && STANDS(A, i) -> lease[A] = i; check() } \
	VOTER(0, i) VOTER(1, i) VOTER(2, i)

#define OWNER(i) (2 * OF(i) + (OF(i) == A && restarted && (i) > base))
#define VOTER(v, i) \
	:: d_step { (requests & BIT(i)) && !silent[v] && (grant[v] == 0 || OWNER(grant[v]) == OWNER(i)) -> \
		grant[v] = (grant[v] > i -> grant[v] : i); left[v] = E; if :: OPEN(i) && ((i) >= lease[OF(i)] || (OF(i) == A && ALONE)) -> granted[v] = granted[v] | BIT(i) :: else fi } \
	:: d_step { (releases & BIT(i)) && grant[v] != 0 && OWNER(grant[v]) == OWNER(i) && grant[v] <= i -> \
		grant[v] = 0; left[v] = 0 }

#define VOTER_RESTART(v) \
	:: d_step { grant[v] != 0 -> grant[v] = 0; silent[v] = 1; left[v] = E }

inline tick() {
	for (k : 0 .. 2) {
		if
		:: left[k] > 1 -> left[k]--
		:: left[k] == 1 -> left[k] = 0; grant[k] = 0; silent[k] = 0
		:: else
		fi
	};
	for (k : 1 .. NA + NB) { if :: start[k] > 0 -> start[k]-- :: else fi };
	if :: old > 0 -> old-- :: else fi;
	k = 0
}

init {
	attempt[B] = NA; forgotten[B] = NA;
	do
	:: d_step { true -> tick() }
	CANDIDATE(A)
	CANDIDATE(B)
	/* A writes it down, and from then on counts majorities only. */
	:: d_step { seen && !over[A] -> WRITE; over[A] = 1;
		if :: TELLS_NOW -> tells = 1; told = 1 :: else fi }
	/* B hears it, of A or of anybody. */
	:: d_step { told && !over[B] -> over[B] = 1 }
	/* A's daemon restarts, once: it knows what is on disk, and its vote is silent. */
	:: d_step { !restarted && attempt[A] < NA ->
		CLEANUP; restarted = 1; base = attempt[A]; forget(A);
		seen = disk; over[A] = disk; tells = disk; told = told || disk;
		grant[A] = 0; silent[A] = 1; left[A] = E }
	VOTER_RESTART(1) VOTER_RESTART(2)
	ATTEMPT(1) ATTEMPT(2)
#if NA + NB >= 3
	ATTEMPT(3)
#endif
#if NA + NB >= 4
	ATTEMPT(4)
#endif
#if NA + NB >= 5
	ATTEMPT(5)
#endif
	od
}
