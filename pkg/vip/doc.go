// Package vip floats one virtual IPv4 address on this host for exactly as long
// as it is told.
//
// A [Manager] is told to hold an address until a deadline ([Manager.Hold]),
// never simply to have it. While it holds, the host answers for the address:
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
//  2. The kernel lets go by itself. The address carries a lifetime in whole
//     seconds, started anew by each Hold that extends; a daemon that is killed
//     or frozen renews nothing, and [Linger] bounds how long the address may
//     outlive the last renewal. Its preferred lifetime is zero, because with an
//     infinite one Linux may look at the address up to two minutes late
//     (net/ipv4/devinet.c, check_lifetime). This is fence layer 3, "lifetime".
//  3. Taking goes redirect, address, announcements. Letting go goes
//     announcements, address, redirect, so that at no time a client reaches the
//     address without its redirect. [Manager.Withdraw] returns after that. A
//     removal that fails is told, and tried again until it succeeds or the
//     lifetime has certainly passed.
//  4. Only what is marked as ours is touched. An address is ours by its
//     [Proto], or, on kernels older than 5.18, which do not keep it, by label,
//     prefix and lifetimes together; a table by the prefix [TablePrefix] of its
//     name. The VIP is always a /32, so it is never the primary or the
//     secondary of another address. When somebody else has put the address on
//     this host, taking it fails with [ErrForeign] and theirs stays as it is.
//  5. Nothing runs while nothing is held: no polling, no timer.
//
// Between the look at the deadline in rule 1 and the kernel call after it, a
// process can still be paused; what it then adds is removed by its next step,
// or by rule 2 if there is none. A pause there is why the fence has layers.
//
// # Where things are
//
// manager.go is the public face and a mailbox; holder.go owns all state in the
// one goroutine of [Manager.Run]; host.go is the seam between the two and the
// kernel; the *_linux.go files drive one kernel interface each. A further fence
// layer is one more step of the holder's take, with its own undo; a further
// kind of announcement (NDP, a routing protocol) is one more announcer.
//
// # What it never does
//
// It never decides who owns the address, never speaks to peers, never binds a
// port, and never changes an address, rule or table that is not its own.
package vip
