package ansible

import (
	"fmt"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// block is a line loadbalancer_apiserver, and those that follow and are about it.
type block struct {
	head  variable
	lines []variable
}

// flow takes {address: ADDRESS, port: PORT} behind the key.
func (b *block) flow(v variable) {
	for _, m := range flowPair.FindAllStringSubmatch(v.value, -1) {
		b.lines = append(b.lines, variable{at: v.at, indent: v.indent + 1, commented: v.commented, key: m[1], value: unquoted(m[2])})
	}
}

// owns reports whether a line is about the balancer: an address or port wherever
// it begins, and what is further in.
func (b *block) owns(v variable) bool {
	if v.key == "address" || v.key == "port" {
		return true
	}
	return v.commented == b.head.commented && v.indent > b.head.indent && !taken[v.key]
}

// untouched reports whether it is the sample that kubespray ships.
func (b *block) untouched() bool {
	return b.head.commented && slices.ContainsFunc(b.lines, func(v variable) bool { return v.value == sampleAddress })
}

// settleBlocks takes the one that holds: the last one that is not commented out,
// else the last one of all.
func (r *reader) settleBlocks() {
	var holds *block
	for i := range r.vars.blocks {
		b := &r.vars.blocks[i]
		if b.untouched() || holds != nil && !holds.head.commented && b.head.commented {
			continue // a sample
		}
		if holds != nil && !holds.head.commented {
			r.note(plan.Fault, holds.head.at, balancerKey, fmt.Sprintf("it is told once more at %s, which holds; remove one of them", b.head.at))
		}
		holds = b
	}
	if holds == nil {
		return
	}
	r.vars.at = holds.head.at
	if holds.head.commented {
		r.note(plan.Fault, holds.head.at, balancerKey+" is commented out", "what stands there was taken; the installer takes no notice of it as it stands, and refuses several masters without it: take the # away")
	}
	r.part(holds, "address", addressKey)
	r.part(holds, "port", portKey)
	for _, v := range holds.lines {
		if v.key != "address" && v.key != "port" {
			r.note(plan.Needless, v.at, balancerKey+"."+yamlnode.Word(v.key), "the installer has an address and a port there, and nothing else; it was not read")
		}
	}
}

// part is a line of the block: the last one, or when all are commented out, the
// last one of those.
func (r *reader) part(b *block, name, key string) {
	var holds *variable
	for i := range b.lines {
		v := &b.lines[i]
		switch {
		case v.key != name || v.value == "":
		case holds == nil || holds.commented && !v.commented:
			holds = v
		case v.commented == holds.commented:
			r.note(plan.Fault, holds.at, key, fmt.Sprintf("it is told once more in line %d, which holds; remove one of them", v.at.Line))
			holds = v
		}
	}
	if holds == nil {
		return
	}
	r.misplaced(b.head, *holds)
	v := plan.Of(holds.value, holds.at)
	r.outdone(key, r.values[key], v)
	r.values[key] = v
}

// misplaced notes a line that does not stand as it has to.
func (r *reader) misplaced(head, v variable) {
	if v.commented && !head.commented {
		r.note(plan.Fault, v.at, v.key+" is commented out", "it was taken as meant, but the installer takes no notice of it: take the # away")
	}
	if v.indent <= head.indent {
		r.note(plan.Fault, v.at, v.key+" is not indented", "it belongs under loadbalancer_apiserver, two blanks further in; as it stands the installer does not see it there. It was taken as meant")
	}
	r.tight(v)
}

// tight notes a line that is no KEY: VALUE.
func (r *reader) tight(v variable) {
	if v.tight {
		r.note(plan.Fault, v.at, v.key+" has no blank behind its colon", "so it is no KEY: VALUE for the installer; write "+v.key+": VALUE. It was taken as meant")
	}
}
