// Package vip floats one virtual address, IPv4 or IPv6, on this host for exactly
// as long as it is told.
//
// A [Manager] is told to hold an address until a deadline ([Manager.Hold]),
// never simply to have it. Before anybody is asked for that lease, the kernel is
// told to end it ([Fence.Arm]). While it holds, the host answers for the address:
// it is on an interface, neighbours have heard where it is, and connections to
// chosen ports of it are sent to other ports of it ([Redirect]).
//
// # Invariants
//
//  1. It lets go by itself. When the deadline passes, the manager's own timer
//     takes the address away; nobody has to say so. The deadline is looked at
//     again immediately before each call that adds or renews something in the
//     kernel and before each frame that announces. A Hold whose deadline has
//     passed does nothing. This is fence layer 1, "deadline".
//  2. The kernel falls silent by itself. A packet filter stands before the
//     address. ARP and Neighbour Discovery for it, on any interface, and packets
//     to and from it pass only while the attempt that the map "on" names for it is
//     in the set "armed". An attempt is armed before the voters are asked, once, for
//     the whole lease, and the kernel's own clock takes it out; Hold only moves
//     "on". So the fence is closed no later than the deadline, and a pause of this
//     process anywhere, for however long, opens nothing: what it does late, it does
//     to an attempt that has ended. Packets on lo pass: clients on this host are
//     nobody's second owner. This is fence layer 2, "kernel".
//  3. The kernel lets go by itself. The address carries a lifetime in whole
//     seconds, started anew by each Hold that extends; a daemon that is killed
//     or frozen renews nothing, and [Linger] bounds how long the address may
//     outlive the last renewal (but see there on IPv4). Its preferred lifetime is zero, because with an
//     infinite one Linux may look at the address up to two minutes late
//     (net/ipv4/devinet.c, check_lifetime). This is fence layer 3, "lifetime".
//  4. Taking goes redirect, address, fence, announcements. Letting go goes
//     announcements, fence, address, redirect, so that at no time a client reaches
//     the address without its redirect, and the address is silent before it goes.
//     Until the fence opens, the address is there and answers nobody.
//     [Manager.Withdraw] returns after that. A removal that fails is told, and
//     tried again until it succeeds or the lifetime has certainly passed; a fence
//     that can't be closed is told, and keeps nothing else from going.
//  5. One [Fence] stands before all VIPs of a process, closed, from before the
//     first manager runs until each has ended and its address is certainly gone. A
//     VIP opens by an attempt of its own and closes without the others, but a fence
//     that has to be built anew is closed for all. It outlives a process that is killed, and belongs to one that
//     lives: nobody else can flush it (Linux 6.9; before that, Arm mends it). Left
//     behind, it keeps no client on this host from the address on another one.
//  6. Only what is marked as ours is touched. An address is ours by its
//     [Proto], or, on kernels older than 5.18, which do not keep it, by label,
//     prefix and lifetimes together (IPv4 only); a table by its name: [TablePrefix]
//     begins it, or it is [FencePrefix] or [AnswersTable]; routes and routing
//     rules by [Proto], and those that stay by their table, [AnswersRoutes]. The VIP is always a /32 or /128, so it is never the primary or the
//     secondary of another address. When somebody else has put the address on
//     this host, taking it fails with [ErrForeign] and theirs stays as it is.
//  7. It is where it belongs: whoever hears the kernel tell of a change ([Watch])
//     calls [Manager.Recheck], and what somebody took away, renamed, made anew or
//     routed elsewhere is followed at once. Nothing is polled.
//  8. Nobody else's address is taken: before the first time the neighbours are asked
//     (RFC 5227), and while a stranger answers, [Manager.Able] says who it is. That
//     ends for good once a node of the cluster has held the VIP ([Manager.Settle]):
//     from then on strangers are contradicted, and told of.
//
// Between the look at the deadline in rule 1 and the kernel call after it, a
// process can be paused for longer than the lease, and then add or renew an
// address that is no longer its own. Behind the fence that address is silent, and
// the next step removes it, or rule 3 if there is none.
//
// Where the kernel lacks a piece of nf_tables (families arp and inet), rules 1 and
// 3 remain: Arm says how much longer the others have to wait ([Linger]), and a
// pause of that length at just that instruction is left open. Where only egress
// chains are missing (before Linux 5.16), rule 1 alone guards announcements, which
// leave through a packet socket, past the other chains. Status tells both.
//
// What no rule here can do is in docs/design/0007-fence.md.
//
// # Where things are
//
// manager.go is the public face; run.go empties its mailbox; holder.go owns all state in the
// one goroutine of [Manager.Run]; fence.go is the fence of all VIPs, fence_part.go
// what that goroutine knows of it; neighbours.go and conflict.go know who else
// speaks for the VIP, the second without a clock or a socket; host.go is the seam
// between these and the kernel; the *_linux.go files drive one kernel interface
// each. A further kind of announcement, such as a routing protocol's, is one more
// announcer in the list that host_linux.go makes.
//
// answers*_linux.go have no VIP: [KeepAnswers] is for a proxy that speaks to
// backends with its clients' addresses. They are here since this is where packet
// rules and routes are made, and cleaned up ([Cleanup]).
//
// # What it never does
//
// It never decides who owns the address, never speaks to peers, never binds a
// port, and never changes an address, rule or table that is not its own.
package vip
