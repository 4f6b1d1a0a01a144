// Package election decides which node holds a VIP: a majority lease among a
// fixed set of voters.
//
// [Machine] is the whole decision and nothing else: it has no clock, socket or
// goroutine of its own. Each of its inputs is one method that takes the time;
// what it wants sent is collected with [Machine.Take]. [Elector] gives it a
// clock, [Gossip] gives it a wire.
//
// # The rules, and what breaks without them
//
// Two invariants are kept: a voter never has live grants to two owners, and at
// most one owner's lease, with the time that its address may linger, is alive
// at any instant. They follow from:
//
//  1. A voter grants a VIP to one [Owner] (a node and one incarnation of it) at
//     a time, for a time that it measures by itself, and refuses everybody else
//     while the grant lives. Without: two candidates count the same voter.
//  2. A holder's deadline is counted from before it asked. Counted from the
//     answer, a slow answer makes the lease outlive the grants behind it.
//  3. The voters' time is longer than the holder's by the drift bound, and by
//     the time that the address of a killed daemon lingers (Request.Keep).
//  4. A voter that starts keeps silent for longer than the longest grant that
//     any configuration allows ([Silence]): it may have granted before it
//     forgot. The bound does not depend on its own configuration, which may
//     have changed with the restart.
//  5. Grants count once for each distinct voter, and only for the attempt that
//     they answer. An incarnation is drawn at random for each start, attempts
//     count up within it, so no attempt is used twice.
//  6. A release frees only a grant of the very same owner and of an attempt
//     that is not newer; an attempt that was released is never granted again.
//     Without: a delayed release frees a newer grant of the same node.
//  7. Letting go goes fence, address, then release: a machine that stops
//     holding says nothing to the voters until [Machine.Withdrawn].
//  8. A failed renewal extends nothing: the deadline moves only with the start
//     of an attempt that a majority has granted.
//
// A simulator with true time asserts the invariants (sim_test.go), and for each
// rule a build of this package without it, which the simulator must catch
// (mutation_test.go).
//
// It votes in one phase: the split vote that two phases would settle is
// settled by releasing the failed attempt and by a staggered, random retry.
// The rules are those of PaxosLease (Trencsényi, arXiv 1209.4187) mended for
// the two-owner traces which its author published in 2026.
//
// # What it never does
//
// It never reads a clock, never asks memberlist who is alive to decide, and
// never tells anybody that it holds a VIP longer than it can prove.
package election
