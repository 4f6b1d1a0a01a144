package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// maxHooks bounds what may run at a time.
const maxHooks = 32

// hooks are the commands that are run on changes. Whether they are there is for the
// host to say.
func (d *decoder) hooks(raws []rawHook) []Hook {
	if n := len(raws); n > maxHooks {
		d.report("hooks", "lists %d commands; write %d or less, and one that calls others", n, maxHooks)
	}
	var hooks []Hook
	for i, raw := range raws {
		at := index("hooks", i)
		d.hookEvents(at+".on", raw.On)
		d.command(at+".exec", raw.Exec)
		hooks = append(hooks, Hook(raw))
	}
	return hooks
}

func (d *decoder) hookEvents(at string, on []string) {
	known := []string{HookHolder, HookBackend}
	if len(on) == 0 {
		d.report(at, "is empty; write %s, or both", wordList(known))
	}
	for i, word := range on {
		switch {
		case !slices.Contains(known, word):
			d.report(index(at, i), "%s is not known here; write %s", quote(word), wordList(known))
		case slices.Index(on, word) < i:
			d.report(index(at, i), "%s stands there twice; write it once", word)
		}
	}
}

func (d *decoder) command(at string, words []string) {
	if len(words) == 0 {
		d.report(at, "is empty; write a program's absolute path, and its arguments")
		return
	}
	if program := words[0]; !filepath.IsAbs(program) {
		d.report(index(at, 0), "%s is not the absolute path of a program; write one like /usr/local/sbin/on-change", quote(program))
	}
	for i, word := range words {
		if strings.ContainsRune(word, 0) {
			d.report(index(at, i), "%s has a NUL, which no argument can have", quote(word))
		}
	}
}
