// Package app builds kshalb out of its parts and runs it: it alone sees more
// than one of the pkg/ packages, and ties them with functions.
//
//	health ── transitions ──▶ pool of the listener ──▶ fitness of the VIP
//	links ── changes ──▶ fitness of the VIP
//	election ── Arm, Hold, Withdraw, Announce ──▶ the VIP's manager, and its listeners' connections
//	election ── Remember ──▶ the state folder
//	gossip ── messages ──▶ election
//	admin socket ── handover ──▶ election; ── reload ──▶ election, gossip, log
//	admin socket, gossip ── handover, drill ──▶ a peer's election, or its faults
//
// It starts what serves before what asks for an address, and stops in reverse:
// the VIP is handed over before the listeners end.
package app
