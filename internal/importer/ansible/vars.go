package ansible

import (
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

var varLine = regexp.MustCompile(`^([ \t]*)([#;][#; \t]*)?["']?([A-Za-z_][\w.-]*)["']?[ \t]*:(.*)$`)

// variable is a line KEY: VALUE, maybe behind a comment's sign.
type variable struct {
	at        plan.Source
	indent    int // with a comment's blanks
	commented bool
	tight     bool // no blank behind the colon
	key       string
	value     string
}

func variableOf(l line) (v variable, ok bool) {
	m := varLine.FindStringSubmatch(l.text)
	if m == nil {
		return v, false
	}
	v = variable{at: l.at, commented: m[2] != "", key: m[3]}
	v.tight = m[4] != "" && m[4][0] != ' ' && m[4][0] != '\t'
	v.value = unquoted(strings.TrimRight(withoutComment(m[4]), ", \t"))
	v.indent = len(m[1]) + len(strings.TrimLeft(m[2], "#;"))
	return v, true
}

// readVars reads the few variables that matter.
func (r *reader) readVars(lines []line) {
	var b *block // while its lines may follow
	read := make(map[plan.Source]bool)
	for _, l := range lines {
		v, ok := variableOf(l)
		switch {
		case !ok:
			if text := strings.TrimSpace(l.text); text != "" && text[0] != '#' {
				b = nil
			}
		case v.key == balancerKey:
			r.vars.blocks = append(r.vars.blocks, block{head: v})
			b = &r.vars.blocks[len(r.vars.blocks)-1]
			b.flow(v)
			read[v.at] = true
		case b != nil && b.owns(v):
			b.lines = append(b.lines, v)
			read[v.at] = true
		default:
			if !v.commented {
				b = nil
			}
			read[v.at] = r.variable(v)
		}
	}
	r.rest(lines, read)
}

// variable takes one of the first level; false: it is none that is looked at. One
// that is commented out is a sample, and only the domain is told of.
func (r *reader) variable(v variable) bool {
	switch {
	case !taken[v.key] || v.value == "" || strings.HasPrefix(v.value, "|") || strings.HasPrefix(v.value, ">"):
		return false
	case v.commented:
		if v.key == domainKey && v.value != sampleDomain {
			r.vars.sample = plan.Of(v.value, v.at)
		}
		return true
	case v.indent > 0:
		r.note(plan.Fault, v.at, v.key+" is indented", "it belongs to the first level, without blanks in front; as it stands the installer does not see it, or refuses the file. It was taken as meant")
	}
	r.tight(v)
	r.vars.files = append(r.vars.files, fileVariable{v.key, plan.Of(v.value, v.at)})
	return true
}

// rest notes whether the file is YAML at all, and what else is in it.
func (r *reader) rest(lines []line, read map[plan.Source]bool) {
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	f := plan.File{Name: lines[0].at.File, Data: []byte(strings.TrimSuffix(text.String(), "\n"))}
	docs, err := yamlnode.Documents(f)
	if err != nil {
		r.notYAML(err, f.Name)
		return
	}
	for _, d := range docs {
		if !d.IsMap() {
			r.note(plan.Fault, d.At(), "the file", "it is no list of KEY: VALUE, and the installer refuses it")
		}
		for _, p := range d.Pairs() {
			if !read[p.At] {
				r.vars.other(p.Key, p.At)
			}
		}
	}
}

// notYAML notes what Ansible will refuse.
func (r *reader) notYAML(err error, file string) {
	at, why := place(err, file)
	r.note(plan.Fault, at, "the file", why+"; the installer refuses it as it stands. Only what is about the balancer was read, line by line")
}
