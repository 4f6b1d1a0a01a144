// Package election decides which node holds a VIP: a majority lease among a
// fixed set of voters.
//
// [Machine] is the whole decision and nothing else: it has no clock, socket or
// goroutine of its own. Each of its inputs is one method that takes the time;
// what it wants is taken from it. [Elector] gives it a clock and a fence,
// [Gossip] gives it a wire.
//
// # The rules, and what breaks without them
//
// Two invariants are kept: a voter never has live grants to two owners, and at
// no instant do two nodes answer for a VIP. They follow from these rules. After
// each stands the shortest trace to two owners without it; A holds, B wants to.
//
//  1. A voter grants a VIP to one [Owner] (a node and one incarnation of it) at
//     a time, for a time that it measures by itself, and refuses everybody else
//     while the grant lives. Without: B asks the voters that A has just asked.
//  2. An attempt starts when the fence has been armed for it with the whole
//     lease, before anybody is asked; the lease counts from that start. No
//     attempt is armed twice. Without: A asks, waits long for the answers, and
//     counts a lease from their coming, longer than the grants live. Or: A wins,
//     looks at the deadline, is held up, and then has the kernel answer for what
//     was left when it looked.
//  3. The voters' time is longer than the holder's by the drift bound, and by
//     the time that the address of a dead daemon lingers where there is no fence
//     (Request.Keep). Without: A's clock is slow, a voter's is fast, and B has
//     the grant before A's kernel stops.
//  4. A voter that starts keeps silent for longer than the longest grant that
//     any configuration allows ([Silence]). The bound does not depend on its own
//     configuration, which may have changed with the restart. Without: A holds
//     by its own vote and C's, C restarts and grants to B.
//  5. Grants count once for each distinct voter, and only for the attempt that
//     they answer or an older one. An incarnation is drawn at random for each
//     start, attempts count up within it, so no attempt is used twice. Without:
//     a repeated answer makes a majority of one.
//  6. A release frees only a grant of the very same owner and of an attempt
//     that is not newer, and a grant never goes back to an older attempt.
//     Without: A releases, asks again and holds; its release, or a copy of it,
//     arrives late and frees the new grant.
//  7. Letting go goes fence, address, then release: a machine that stops
//     holding says nothing to the voters until [Machine.Withdrawn]. Without: B
//     has the grants while A's kernel still has the address.
//  8. A failed renewal extends nothing: the deadline moves only with the start
//     of an attempt that a majority has granted, and the fence is switched to
//     that attempt. Without: A is cut off and goes on renewing.
//  9. Only nodes with the very same voters count each other's messages. A set
//     is changed by one member, and only once a holder has been seen under it:
//     then a majority is on it, each with no live grant but that holder's, so
//     that no older set can have a lease. See [Machine.CheckVoters]. Without: A
//     holds by two of three while B wins by three of five.
//  10. With a bootstrap node, others campaign only once they have heard that a
//     majority has been seen; it counts its own vote alone only before that is
//     on its disk, and says so only once no lease of its own rests on less than
//     a majority. Without: it holds alone, cut off, while the others elect B.
//
// Rule 9 supposes that all nodes are given the same files in the same order:
// nobody can tell two fresh machines that list three voters from two thirds of a
// new cluster.
//
// A simulator with true time asserts the invariants (sim_test.go), and for each
// rule there is a build of this package without it, which it must catch
// (mutation_test.go). docs/design/0008-model.md checks the rules exhaustively in
// the small.
//
// # Who holds
//
// The rules say who may; fitness.go says who should. It votes in one phase: the
// split vote that two phases would settle is settled by releasing the failed
// attempt and by a staggered, random retry. The rules are those of PaxosLease
// (Trencsényi, arXiv 1209.4187) mended for the two-owner traces which its author
// published in 2026.
//
// # What it never does
//
// It never reads a clock, never asks memberlist who is alive to decide, and
// never tells anybody that it holds a VIP longer than it can prove.
package election
