/*
 * The lease and the fence of one VIP: three voters, two or three candidates.
 * docs/design/0008-model.md says what stands for what and why; ./check runs it.
 *
 * Time is in ticks and is kept as what is left of each timer. Whatever can happen
 * between two ticks may happen in any order, or not at all: a step that is not
 * taken is a pause, a crash or a lost message.
 */

/* How many attempts each incarnation of the candidates A, B and C may make. */
#ifndef A0
#define A0 2
#endif
#ifndef A1
#define A1 0
#endif
#ifndef B0
#define B0 2
#endif
#ifndef B1
#define B1 0
#endif
#ifndef C0
#define C0 0
#endif
#define EA (A0 + A1)
#define EB (EA + B0 + B1)
#define EC (EB + C0)

/* True time: the longest life of a fence's element (the lease, on the slowest
 * clock), and the shortest life of a grant (the voters' time, on the fastest). */
#ifndef E
#define E 2
#endif
#ifdef NO_MARGIN
#define V (E - 1)
#else
#define V E
#endif
#ifdef NO_SILENCE
#define S 0
#else
#define S V
#endif
#ifdef HALF
#define MAJORITY 1
#else
#define MAJORITY 2
#endif

/* An attempt has one id of 1..EC. Its candidate, incarnation and number follow. */
#define NODE(i) ((i) <= EA -> 0 : ((i) <= EB -> 1 : 2))
#define INC(i) ((i) <= EA -> ((i) > A0) : ((i) <= EB -> ((i) > EA + B0) : 0))
#define NUM(i) ((i) <= A0 -> (i) : ((i) <= EA -> (i) - A0 : ((i) <= EA + B0 -> (i) - EA : ((i) <= EB -> (i) - EA - B0 : (i) - EB))))
#define OWNER(i) (2 * NODE(i) + INC(i))
#define FIRST(n, k) ((n) == 0 -> ((k) == 0 -> 0 : A0) : ((n) == 1 -> ((k) == 0 -> EA : EA + B0) : EB))
#define LAST(n, k) ((n) == 0 -> ((k) == 0 -> A0 : EA) : ((n) == 1 -> ((k) == 0 -> EA + B0 : EB) : EC))
#define RESTARTS(n) ((n) == 0 -> (A1 > 0) : ((n) == 1 -> (B1 > 0) : 0))
#define BIT(i) (1 << (i))
#define UPTO(i) (BIT((i) + 1) - 1)

/* The kernel's slot of an attempt; a new incarnation counts from 1 again. */
#define WIDTH 3
#define SLOT(i) (WIDTH * NODE(i) + NUM(i) - 1)

/* The network never loses what it once took: a message may be taken out of it at
 * any later time and any number of times. Never taking it is losing it. */
short requests; /* by id: the request was sent */
short releases; /* by id: a release that names it was sent */

/* A voter, packed so that the three can be sorted: which is which matters to
 * nobody. The bits from 15 on are the network's: grants that it sent. */
int voter[3];
#define GRANT(v) (voter[v] & 15)        /* the id that it granted; 0 is none */
#define LEFT(v) ((voter[v] >> 4) & 3)   /* of the grant, or of the silence */
#define SILENT(v) ((voter[v] >> 6) & 1)
#define SEEN(v, n) ((voter[v] >> (7 + 4 * (n))) & 15) /* the last asked for or released, by candidate */
#define GRANTED(v) (voter[v] >> 15)     /* by id */

inline setGrant(v, id, left) { voter[v] = (voter[v] & ~63) | (id) | ((left) << 4) }
inline setSeen(v, n, id) { voter[v] = (voter[v] & ~(15 << (7 + 4 * (n)))) | ((id) << (7 + 4 * (n))) }

inline sortVoters() {
	if :: voter[0] > voter[1] -> t = voter[0]; voter[0] = voter[1]; voter[1] = t :: else fi;
	if :: voter[1] > voter[2] -> t = voter[1]; voter[1] = voter[2]; voter[2] = t :: else fi;
	if :: voter[0] > voter[1] -> t = voter[0]; voter[0] = voter[1]; voter[1] = t :: else fi;
	t = 0
}

/* A candidate's daemon. */
byte incarnation[3];
byte attempt[3];   /* the id of the last one */
byte forgotten[3]; /* ids up to this one are over */
byte asking[3];    /* how far the last attempt is */
byte lease[3];     /* the id that a majority stands behind; 0 is nothing */
byte phase[3];

#define ASKED 0
#define CHOSEN 1
#define HALFWAY 2 /* armed, and nobody asked yet; mutated, the other way round */

#define ACTIVE 0     /* standby, campaigning or holding */
#define RESIGNING 1  /* the fence is still open */
#define WITHDRAWN 2  /* the voters do not know */
#define STARTING 3   /* the predecessor's fence is still there */
#ifdef ADDRESS
#define CLOSED 4     /* the address is still there */
#define CLEANING 5   /* the predecessor's address is still there */
#endif

/* Its kernel, which goes on without it. */
byte left[9]; /* by slot: of the element in the set of armed attempts */
byte on[3];   /* the id that was switched on; 0 is closed */
#ifdef ADDRESS
byte address; /* by candidate */
#define ANSWERS(n) (on[n] != 0 && left[SLOT(on[n])] > 0 && (address & BIT(n)))
#else
#define ANSWERS(n) (on[n] != 0 && left[SLOT(on[n])] > 0)
#endif

int t;
byte k;
#ifdef REACH_TAKEOVER
bit first;
#endif

inline check() {
#if defined(REACH_OWNER)
	assert(!ANSWERS(0))
#elif defined(REACH_RENEWAL)
	assert(!(ANSWERS(0) && NUM(on[0]) == 2 && forgotten[0] == 0))
#elif defined(REACH_AGAIN)
	assert(!(ANSWERS(0) && forgotten[0] != 0 && incarnation[0] == 0))
#elif defined(REACH_RESTARTED)
	assert(!(ANSWERS(0) && incarnation[0] == 1))
#elif defined(REACH_TAKEOVER)
	if :: ANSWERS(0) -> first = 1 :: else fi;
	assert(!(ANSWERS(1) && first && releases == 0))
#else
	assert(!(ANSWERS(0) && ANSWERS(1)) && !(ANSWERS(0) && ANSWERS(2)) && !(ANSWERS(1) && ANSWERS(2)))
#endif
}

/* What can have no effect any more is taken out of the state: the grants of
 * attempts that are over, and elements that can't be switched on any more. */
#if defined(LATE_GRANTS) || defined(KEEP_HOLD)
#define WHOLE
#endif
#ifdef WHOLE /* nothing is taken out */
#define FORGET_GRANTS(n, i) skip
#else
#define FORGET_GRANTS(n, i) \
	t = ~((UPTO(i) & ~UPTO(FIRST(n, 0))) << 15); \
	voter[0] = voter[0] & t; voter[1] = voter[1] & t; voter[2] = voter[2] & t; \
	t = 0; sortVoters()
#endif
inline forget(n) {
	forgotten[n] = attempt[n]; asking[n] = ASKED;
	FORGET_GRANTS(n, attempt[n])
}
inline dropArmed(n) {
	for (k : WIDTH * n .. WIDTH * n + WIDTH - 1) { left[k] = 0 };
	k = 0
}
#ifdef WHOLE
#define UNUSED(n) skip
#else
#define UNUSED(n) dropArmed(n)
#endif

/* ---- The rules that can be taken out. ---- */

#define ARM(i) left[SLOT(i)] = E
#ifdef ARM_AFTER_ASKING
#define FIRST_HALF(i) requests = requests | BIT(i)
#define SECOND_HALF(i) ARM(i)
#else
#define FIRST_HALF(i) ARM(i)
#define SECOND_HALF(i) requests = requests | BIT(i)
#endif
#ifdef REARM_ON /* the slot that is on is armed once more */
#define REARM(i) ARM(i)
#else
#define REARM(i) skip
#endif
#ifdef RELEASE_UNNAMED /* a release is for whatever its owner has */
#define FREES(v, i) (GRANT(v) != 0 && OWNER(GRANT(v)) == OWNER(i))
#else
#define FREES(v, i) (GRANT(v) != 0 && OWNER(GRANT(v)) == OWNER(i) && GRANT(v) <= (i))
#endif
#ifdef RELEASE_FIRST
#define EARLY_RELEASE(n) releases = releases | BIT(attempt[n])
#else
#define EARLY_RELEASE(n) skip
#endif
#ifdef KEEP_HOLD /* a switch that was under way is done after the withdrawal */
byte late[3];
#define SHUT(n) late[n] = lease[n]; on[n] = 0
#define LATE_SWITCH(n) :: d_step { late[n] != 0 && phase[n] == ACTIVE -> on[n] = late[n]; late[n] = 0; check() }
#elif defined(ADDRESS) /* shutting the fence may fail; the address goes all the same */
#define SHUT(n) if :: on[n] = 0; UNUSED(n) :: skip fi
#define LATE_SWITCH(n)
#else
#define SHUT(n) on[n] = 0; UNUSED(n)
#define LATE_SWITCH(n)
#endif
#ifdef NO_CLEANUP /* a start leaves the fence of its predecessor as it is */
#define RESTARTED ACTIVE
#else
#define RESTARTED STARTING
#endif
#ifdef COUNT_TWICE
#define WEIGHT 2
#else
#define WEIGHT 1
#endif
#ifdef COUNT_FROM_ANSWER /* the lease begins with the majority */
#define AT_MAJORITY(i) ARM(i)
#else
#define AT_MAJORITY(i) skip
#endif
#ifdef GRANT_OTHERS
#define TAKEN(v, i) 0
#else
#define TAKEN(v, i) (GRANT(v) != 0 && OWNER(GRANT(v)) != OWNER(i))
#endif
#ifdef LATE_GRANTS /* an attempt that was released still counts */
#define FLOOR(n) FIRST(n, incarnation[n])
#else
#define FLOOR(n) forgotten[n]
#endif

/* Voters need no memory of what was asked or released before, as long as a late
 * request takes back nothing that a newer one said. LAST_BY_NODE is the memory
 * that one version had instead: the last attempt by node, and grants that are
 * lowered. LOWER_GRANT is the lowering alone. */
#ifdef LAST_BY_NODE
#define OLDER(v, i) (SEEN(v, NODE(i)) != 0 && INC(SEEN(v, NODE(i))) == INC(i) && (i) <= SEEN(v, NODE(i)))
#define NOTE(v, i) if :: !OLDER(v, i) -> setSeen(v, NODE(i), i) :: else fi
#else
#define OLDER(v, i) 0
#define NOTE(v, i) skip
#endif
#if defined(LAST_BY_NODE) || defined(LOWER_GRANT)
#define NEWEST(v, i) (i)
#else
#define NEWEST(v, i) (GRANT(v) > (i) -> GRANT(v) : (i))
#endif

/* ---- A candidate's steps; between any two it may be held up. ---- */

#define CANDIDATE(n) \
	:: d_step { phase[n] == ACTIVE && asking[n] == ASKED && attempt[n] < LAST(n, incarnation[n]) -> \
		attempt[n]++; asking[n] = CHOSEN } \
	:: d_step { asking[n] == CHOSEN -> FIRST_HALF(attempt[n]); asking[n] = HALFWAY; check() } \
	:: d_step { asking[n] == HALFWAY -> SECOND_HALF(attempt[n]); asking[n] = ASKED; check() } \
	:: d_step { lease[n] != 0 && on[n] != lease[n] && phase[n] <= RESIGNING -> \
		on[n] = lease[n]; REARM(on[n]); check() } \
	:: d_step { lease[n] == 0 && phase[n] == ACTIVE && attempt[n] > forgotten[n] -> /* a campaign fails */ \
		forget(n); DROP_CAMPAIGN(n); releases = releases | BIT(attempt[n]) } \
	:: d_step { lease[n] != 0 && phase[n] == ACTIVE -> forget(n); phase[n] = RESIGNING; EARLY_RELEASE(n) } \
	:: d_step { phase[n] == RESIGNING -> SHUT(n); lease[n] = 0; phase[n] = SHUTTED } \
	:: d_step { phase[n] == WITHDRAWN -> releases = releases | BIT(attempt[n]); phase[n] = ACTIVE } \
	:: d_step { RESTARTS(n) && incarnation[n] == 0 -> \
		forget(n); incarnation[n] = 1; attempt[n] = FIRST(n, 1); forgotten[n] = attempt[n]; lease[n] = 0; phase[n] = RESTARTED } \
	:: d_step { phase[n] == STARTING -> on[n] = 0; dropArmed(n); phase[n] = CLEANED } \
	LATE_SWITCH(n) \
	ADDRESS_STEPS(n)

/* The address is taken to be there always, the worst case, and the fence alone
 * has to do; -DADDRESS has it as it is, with a fence that may fail to shut. */
#ifdef ADDRESS
#define SHUTTED CLOSED
#define CLEANED CLEANING
#define DROP_CAMPAIGN(n) skip
#define ADDRESS_STEPS(n) \
	:: d_step { on[n] != 0 && on[n] == lease[n] && phase[n] <= RESIGNING && !(address & BIT(n)) -> \
		address = address | BIT(n); check() } \
	:: d_step { phase[n] == CLOSED -> address = address & ~BIT(n); phase[n] = WITHDRAWN } \
	:: d_step { phase[n] == CLEANING -> address = address & ~BIT(n); phase[n] = ACTIVE }
#else
#define SHUTTED WITHDRAWN
#define CLEANED ACTIVE
#ifdef NO_CLEANUP
#define DROP_CAMPAIGN(n) skip
#else
#define DROP_CAMPAIGN(n) UNUSED(n)
#endif
#define ADDRESS_STEPS(n)
#endif

/* A voter stands behind attempt i when it granted i or a later one of its owner. */
#define FROM(i) (UPTO(LAST(NODE(i), INC(i))) & ~UPTO((i) - 1))
#define STANDS(v, i) ((GRANTED(v) & FROM(i)) != 0 -> WEIGHT : 0)
#define OPEN(i) (INC(i) == incarnation[NODE(i)] && (i) > FLOOR(NODE(i)) && (i) <= attempt[NODE(i)] && (requests & BIT(i)))
#ifdef UNPROVEN_RENEWAL /* a holder goes over to what it has only asked for */
#define PROVEN(i) (STANDS(0, i) + STANDS(1, i) + STANDS(2, i) >= MAJORITY || lease[NODE(i)] != 0)
#else
#define PROVEN(i) (STANDS(0, i) + STANDS(1, i) + STANDS(2, i) >= MAJORITY)
#endif

#define ATTEMPT(i) \
	:: d_step { phase[NODE(i)] == ACTIVE && OPEN(i) && (i) > lease[NODE(i)] && PROVEN(i) -> \
		lease[NODE(i)] = i; AT_MAJORITY(i); FORGET_GRANTS(NODE(i), i) } \
	VOTER(0, i) VOTER(1, i) VOTER(2, i)

/* ---- A voter's steps. ---- */

/* Grants that could not count are not put into the network. */
#ifdef WHOLE
#define ANSWER(v, i) voter[v] = voter[v] | (BIT(i) << 15)
#else
#define ANSWER(v, i) \
	if :: OPEN(i) && (i) > lease[NODE(i)] -> voter[v] = voter[v] | (BIT(i) << 15) :: else fi
#endif

#define VOTER(v, i) \
	:: d_step { (requests & BIT(i)) && !SILENT(v) && !OLDER(v, i) -> \
		NOTE(v, i); \
		if :: !TAKEN(v, i) -> k = NEWEST(v, i); setGrant(v, k, V); k = 0; ANSWER(v, i) :: else fi; \
		sortVoters() } \
	:: d_step { (releases & BIT(i)) && FREES(v, i) -> \
		NOTE(v, i); setGrant(v, 0, 0); sortVoters() }

/* A restart without memory. */
#define VOTER_RESTART(v) \
	:: d_step { GRANT(v) != 0 -> voter[v] = (voter[v] & ~32767) | (S << 4) | ((S > 0) << 6); sortVoters() }

inline tickVoter(v) {
	if
	:: LEFT(v) > 1 -> voter[v] = voter[v] - 16
	:: LEFT(v) == 1 -> voter[v] = voter[v] & ~127
	:: else
	fi
}

init {
	attempt[1] = EA; forgotten[1] = EA;
	attempt[2] = EB; forgotten[2] = EB;
	do
	:: d_step { true -> /* a tick */
		tickVoter(0); tickVoter(1); tickVoter(2); sortVoters();
		for (k : 0 .. 8) { if :: left[k] > 0 -> left[k]-- :: else fi };
		k = 0 }
	CANDIDATE(0)
	CANDIDATE(1)
	VOTER_RESTART(0) VOTER_RESTART(1) VOTER_RESTART(2)
	ATTEMPT(1) ATTEMPT(2)
#if EB >= 3
	ATTEMPT(3)
#endif
#if EB >= 4
	ATTEMPT(4)
#endif
#if EB >= 5
	ATTEMPT(5)
#endif
#if EB >= 6
	ATTEMPT(6)
#endif
#if C0 > 0
	CANDIDATE(2)
	ATTEMPT(EC)
#endif
	od
}
