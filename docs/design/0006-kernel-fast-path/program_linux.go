package sockmap

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// Where the fields of struct __sk_buff lie (include/uapi/linux/bpf.h).
const (
	ctxLen = 0
	ctxCB  = 48
	ctxSK  = 168
)

// Where the fields of a flow lie.
const (
	flowPassed     = 0
	flowResume     = 8
	flowRedirected = 16
	flowNext       = 24
	flowMode       = 28
	flowBase       = 32
	flowBurst      = 36
	flowTrimmed    = 40
	flowStarted    = 48
	flowSize       = 64
)

// Modes of a flow, which the program writes.
const (
	modePassing = iota
	modeRedirecting
	modeBroken
)

const (
	// skbCost stands for what the kernel needs for a message besides its bytes.
	skbCost = 2048
	// maxTrim is how much bpf_skb_adjust_room takes off at once.
	maxTrim = 0xfff
	// trims is how often it is asked to; a message is 64 KiB at most.
	trims = 17
)

// Flags of TCP (RFC 9293, 3.1).
const flagURG = 0x20

// offsets are those of kernel fields, as the running kernel's BTF tells them.
type offsets struct {
	copied, write, queued, sndbuf int16
}

// kernelOffsets looks up where the running kernel keeps what the program reads.
func kernelOffsets() (o offsets, err error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return o, fmt.Errorf("read the kernel's types: %w", err)
	}
	var tcp, sock *btf.Struct
	if err := errors.Join(spec.TypeByName("tcp_sock", &tcp), spec.TypeByName("sock", &sock)); err != nil {
		return o, fmt.Errorf("find the kernel's socket types: %w", err)
	}
	for _, f := range []struct {
		in   *btf.Struct
		name string
		at   *int16
	}{
		{tcp, "copied_seq", &o.copied},
		{tcp, "write_seq", &o.write},
		{sock, "sk_wmem_queued", &o.queued},
		{sock, "sk_sndbuf", &o.sndbuf},
	} {
		at, ok := member(f.in, f.name)
		if !ok {
			return o, fmt.Errorf("find field %s of the kernel's struct %s: it has none", f.name, f.in.Name)
		}
		*f.at = int16(at)
	}
	return o, nil
}

// member returns the offset of a field, which may lie in a nameless struct.
func member(t btf.Type, name string) (uint32, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m.Offset.Bytes(), true
		}
		if m.Name == "" {
			if at, ok := member(m.Type, name); ok {
				return m.Offset.Bytes() + at, true
			}
		}
	}
	return 0, false
}

// Registers that outlive calls.
const (
	ctx  = asm.R6
	self = asm.R7
	key  = asm.R8 // of the flow
	tmp  = asm.R9
)

// Places on the stack.
const (
	stackCookie = -8
	stackKey    = -16
	stackPeer   = -12
	stackNeed   = -24 // queued, of the peer
	stackWrite  = -32
	stackLimit  = -40
)

// verdict is the program that decides of each piece of the stream that a socket
// of the map receives: to the other socket, or to user space.
func verdict(o offsets, v variant) asm.Instructions {
	if v > untrimmed {
		return careless(v)
	}
	var p asm.Instructions
	add := func(more ...asm.Instruction) { p = append(p, more...) }

	add(
		asm.Mov.Reg(ctx, asm.R1),
		// A FIN comes as a message without a byte. Redirected it would break
		// the other socket (net/core/skmsg.c, sk_psock_backlog); the socket
		// knows of it anyway.
		asm.LoadMem(asm.R0, ctx, ctxLen, asm.Word),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.FnGetSocketCookie.Call(), // of R1
		asm.StoreMem(asm.RFP, stackCookie, asm.R0, asm.DWord),
	)
	add(lookup("keys", stackCookie)...)
	add(
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(key, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.RFP, stackKey, key, asm.Word),
		asm.Mov.Reg(asm.R1, key),
		asm.Xor.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, stackPeer, asm.R1, asm.Word),
	)
	add(lookup("flows", stackKey)...)
	add(
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(self, asm.R0),
	)
	if v == untrimmed {
		add(asm.LoadMem(asm.R1, self, flowMode, asm.Word),
			asm.JEq.Imm(asm.R1, modeBroken, "broken"))
	} else {
		add(trim(o)...)
	}
	add(redirect(o)...)
	add(
		asm.LoadMem(asm.R1, self, flowMode, asm.Word).WithSymbol("hand"),
		asm.JNE.Imm(asm.R1, modeRedirecting, "count"),
		asm.StoreImm(self, flowMode, modePassing, asm.Word),
	)
	add(tell()...)
	add(
		asm.LoadMem(asm.R1, ctx, ctxLen, asm.Word).WithSymbol("count"),
		asm.LoadMem(asm.R2, self, flowPassed, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(self, flowPassed, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"),
		asm.Return(),
		asm.StoreImm(self, flowMode, modeBroken, asm.Word).WithSymbol("broken"),
	)
	add(tell()...)
	add(
		asm.Mov.Imm(asm.R0, 0).WithSymbol("drop"),
		asm.Return(),
	)
	return p
}

// lookup leaves in R0 what a map has for the key on the stack.
func lookup(name string, at int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, 0).WithReference(name),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, at),
		asm.FnMapLookupElem.Call(),
	}
}

// tell says in the ring that something of the flow has changed.
func tell() asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, 0).WithReference("events"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, stackKey),
		asm.Mov.Imm(asm.R3, 4),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
	}
}

// variant leaves out one of the program's cares, to show what comes of it.
type variant int

const (
	careful   variant = iota
	untrimmed         // bytes that were received before are not taken off
	unbounded         // redirects whatever the other socket has waiting
	withFIN           // and messages without a byte too
	halfway           // redirects, but gives user space what even keys receive
)

// careless is the program without its cares.
func careless(v variant) asm.Instructions {
	fin := int32(0)
	if v == withFIN {
		fin = -1
	}
	p := asm.Instructions{
		asm.Mov.Reg(ctx, asm.R1),
		asm.LoadMem(asm.R0, ctx, ctxLen, asm.Word),
		asm.JEq.Imm(asm.R0, fin, "drop"),
		asm.FnGetSocketCookie.Call(),
		asm.StoreMem(asm.RFP, stackCookie, asm.R0, asm.DWord),
	}
	p = append(p, lookup("keys", stackCookie)...)
	p = append(p,
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.LoadMem(asm.R3, asm.R0, 0, asm.Word),
		asm.Mov.Imm(asm.R0, 1),
	)
	if v == halfway {
		p = append(p,
			asm.Mov.Reg(asm.R1, asm.R3),
			asm.And.Imm(asm.R1, 1),
			asm.JEq.Imm(asm.R1, 0, "out"),
		)
	}
	return append(p,
		asm.Xor.Imm(asm.R3, 1),
		asm.Mov.Reg(asm.R1, ctx),
		asm.LoadMapPtr(asm.R2, 0).WithReference("socks"),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnSkRedirectMap.Call(),
		asm.Return().WithSymbol("out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("drop"),
		asm.Return(),
	)
}

// trim takes off what was received before. A segment that holds old and new
// bytes, which a retransmission may, is queued whole, and the offset of the new
// ones is not regarded for a program (net/ipv4/tcp.c, tcp_read_skb).
// The control block begins with the sequence number (include/net/tcp.h,
// struct tcp_skb_cb).
func trim(o offsets) asm.Instructions {
	p := asm.Instructions{
		asm.LoadMem(asm.R1, ctx, ctxCB+12, asm.Word),
		asm.And.Imm(asm.R1, flagURG),
		asm.JNE.Imm(asm.R1, 0, "broken"),
		asm.LoadMem(asm.R1, self, flowStarted, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "started"),
		asm.LoadMem(asm.R1, ctx, ctxSK, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "broken"),
		asm.FnSkcToTcpSock.Call(),
		asm.JEq.Imm(asm.R0, 0, "broken"),
		asm.LoadMem(asm.R1, asm.R0, o.copied, asm.Word),
		asm.StoreMem(self, flowNext, asm.R1, asm.Word),
		asm.StoreImm(self, flowStarted, 1, asm.Word),
		asm.LoadMem(tmp, self, flowNext, asm.Word).WithSymbol("started"),
		asm.LoadMem(asm.R1, ctx, ctxCB, asm.Word),
		asm.Sub.Reg32(tmp, asm.R1),
		asm.JEq.Imm32(tmp, 0, "trimmed"),
		asm.JSLT.Imm32(tmp, 0, "broken"),
	}
	for i := range trims {
		next := fmt.Sprintf("trim%d", i)
		p = append(p,
			asm.JEq.Imm32(tmp, 0, "trimmed"),
			asm.Mov.Reg32(asm.R2, tmp),
			asm.JLE.Imm32(asm.R2, maxTrim, next),
			asm.Mov.Imm32(asm.R2, maxTrim),
			asm.Sub.Reg32(tmp, asm.R2).WithSymbol(next),
			asm.LoadMem(asm.R1, self, flowTrimmed, asm.DWord),
			asm.Add.Reg(asm.R1, asm.R2),
			asm.StoreMem(self, flowTrimmed, asm.R1, asm.DWord),
			asm.Neg.Imm32(asm.R2, 0),
			asm.Mov.Reg(asm.R1, ctx),
			asm.Mov.Imm(asm.R3, 0),
			asm.Mov.Imm(asm.R4, 0),
			asm.FnSkbAdjustRoom.Call(),
			asm.JNE.Imm(asm.R0, 0, "broken"),
		)
	}
	return append(p,
		asm.JNE.Imm32(tmp, 0, "broken"),
		asm.LoadMem(asm.R1, ctx, ctxLen, asm.Word).WithSymbol("trimmed"),
		asm.LoadMem(asm.R2, self, flowNext, asm.Word),
		asm.Add.Reg32(asm.R2, asm.R1),
		asm.StoreMem(self, flowNext, asm.R2, asm.Word),
	)
}

// redirect gives the message to the other socket, if user space has handed on
// all that it was given and the other socket will take it without waiting. Else
// it goes on at "hand".
func redirect(o offsets) asm.Instructions {
	p := asm.Instructions{
		asm.LoadMem(asm.R1, self, flowPassed, asm.DWord),
		asm.LoadMem(asm.R2, self, flowResume, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "hand"),
	}
	p = append(p, lookup("socks", stackPeer)...)
	p = append(p,
		asm.JEq.Imm(asm.R0, 0, "hand"),
		asm.Mov.Reg(tmp, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.FnSkcToTcpSock.Call(),
		asm.JNE.Imm(asm.R0, 0, "peer"),
		asm.Mov.Reg(asm.R1, tmp),
		asm.FnSkRelease.Call(),
		asm.Ja.Label("hand"),
		asm.LoadMem(asm.R1, asm.R0, o.write, asm.Word).WithSymbol("peer"),
		asm.StoreMem(asm.RFP, stackWrite, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R0, o.queued, asm.Word),
		asm.StoreMem(asm.RFP, stackNeed, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R0, o.sndbuf, asm.Word),
		asm.StoreMem(asm.RFP, stackLimit, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, tmp),
		asm.FnSkRelease.Call(),

		// R1: how much was redirected and is not yet in the peer's send queue
		asm.LoadMem(asm.R1, self, flowRedirected, asm.DWord),
		asm.LoadMem(asm.R2, asm.RFP, stackWrite, asm.DWord),
		asm.LoadMem(asm.R3, self, flowMode, asm.Word),
		asm.JEq.Imm(asm.R3, modeRedirecting, "going"),
		asm.Mov.Reg32(asm.R3, asm.R2),
		asm.Sub.Reg32(asm.R3, asm.R1),
		asm.StoreMem(self, flowBase, asm.R3, asm.Word),
		asm.StoreImm(self, flowMode, modeRedirecting, asm.Word),
		asm.LoadMem(asm.R3, self, flowBase, asm.Word).WithSymbol("going"),
		asm.Sub.Reg32(asm.R2, asm.R3),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JNE.Imm(asm.R1, 0, "behind"),
		asm.StoreImm(self, flowBurst, 0, asm.Word),

		// what the peer's send queue would come to
		asm.LoadMem(asm.R2, self, flowBurst, asm.Word).WithSymbol("behind"),
		asm.Add.Imm(asm.R2, 1),
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.Mul.Imm(asm.R3, skbCost),
		asm.Add.Reg(asm.R3, asm.R1),
		asm.LoadMem(asm.R4, ctx, ctxLen, asm.Word),
		asm.Add.Reg(asm.R3, asm.R4),
		asm.LoadMem(asm.R5, asm.RFP, stackNeed, asm.DWord),
		asm.Add.Reg(asm.R3, asm.R5),
		asm.LoadMem(asm.R5, asm.RFP, stackLimit, asm.DWord),
		asm.RSh.Imm(asm.R5, 1),
		asm.JGT.Reg(asm.R3, asm.R5, "hand"),

		asm.StoreMem(self, flowBurst, asm.R2, asm.Word),
		asm.LoadMem(asm.R1, self, flowRedirected, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R4),
		asm.StoreMem(self, flowRedirected, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, ctx),
		asm.LoadMapPtr(asm.R2, 0).WithReference("socks"),
		asm.LoadMem(asm.R3, asm.RFP, stackPeer, asm.Word),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnSkRedirectMap.Call(),
		asm.Return(),
	)
	return p
}

// spec describes maps and program for so many connections.
func spec(conns uint32, o offsets, v variant) *ebpf.CollectionSpec {
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			"socks":  {Name: "socks", Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: 2 * conns},
			"keys":   {Name: "keys", Type: ebpf.Hash, KeySize: 8, ValueSize: 4, MaxEntries: 2 * conns},
			"flows":  {Name: "flows", Type: ebpf.Array, KeySize: 4, ValueSize: flowSize, MaxEntries: 2 * conns, Flags: 1 << 10},
			"events": {Name: "events", Type: ebpf.RingBuf, MaxEntries: 1 << 16},
		},
		Programs: map[string]*ebpf.ProgramSpec{
			"verdict": {
				Name: "verdict", Type: ebpf.SkSKB, AttachType: ebpf.AttachSkSKBStreamVerdict,
				License: "GPL", Instructions: verdict(o, v),
			},
		},
	}
}
