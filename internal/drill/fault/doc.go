// Package fault does to this node what a drill asks for, and undoes it: whatever
// happens to kshalb meanwhile, the node is whole again when the time is over.
// What undoes a fault does not need kshalb to live:
//
//   - [Kill]: whoever starts kshalb again; without such a one it is refused.
//   - [Pause]: a child process traces every thread of kshalb. When it ends, however
//     it ends, the kernel lets go of them. It ends by itself after the time, and
//     with kshalb.
//   - [Cut]: packets are dropped as long as an element of an nftables set lives. It
//     has a timeout, which the kernel keeps.
//
// One fault lasts at a time, and none longer than a minute.
package fault
