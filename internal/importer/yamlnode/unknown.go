package yamlnode

import "github.com/kshalb/kshalb/internal/importer/plan"

// maxUnknown is how many unknown keys have a note of their own.
const maxUnknown = 20

// Unknown notes keys that a format does not have, the first ones one by one with
// the known key that is likely to be meant, all others in one note. what comes
// before the key, why after it.
func Unknown(p *plan.Plan, level plan.Level, keys []Pair, known []string, what, why string) {
	for n, pair := range keys {
		if n == maxUnknown {
			var rest []string
			for _, pair := range keys[n:] {
				rest = append(rest, pair.Key)
			}
			p.Note(level, pair.At, what+Words(rest), why)
			return
		}
		meant := ""
		if near := Near(pair.Key, known); near != "" {
			meant = "; is " + near + " meant?"
		}
		p.Note(level, pair.At, what+Word(pair.Key), why+meant)
	}
}
