package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/config"
)

// TestDocs: each page of the documentation has commands and flags that there are,
// links and files that lead somewhere, and configurations that are read. The keys that
// it names are looked at in internal/config.
func TestDocs(t *testing.T) {
	pages := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*/README.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, fault := range faultsOf(file, string(text)) {
				t.Errorf("%s: %s", file, fault)
			}
		}
	}
	if pages < 30 {
		t.Errorf("only %d pages were found", pages)
	}
}

// TestDocsFaults: what is wrong is found.
func TestDocsFaults(t *testing.T) {
	for text, want := range map[string]string{
		"Run `kshalb stats`.":                                   "kshalb stats: there is no such command",
		"    kshalb status --wide":                              "kshalb status: there is no flag --wide",
		"```\nsudo kshalb check --config x -q\n```":             "kshalb check: there is no flag -q",
		"see [this](nothing.md)":                                "nothing.md: no such file",
		"see [this](docs_test.go#nowhere)":                      "docs_test.go#nowhere: no such heading",
		"```yaml\nversion: 1\nlisteners: 5\n```":                "listeners",
		"```\n# what\nversion: 1\nlistener: []\n```":            "listener: unknown key",
		"1. step\n\n       version: 1\n       vip: x\n":         "vip: unknown key",
		"put deploy/systemd/kshalb.socket there":                "deploy/systemd/kshalb.socket: no such file",
		"see `deploy/systemd`, and deploy/static-pods/.":        "",
		"```yaml\nversion: 1.33\n```\n":                         "",
		"`kshalb status -w`, `kshalb reload --dry-run; date`\n": "",
		"# A `heading` of ours\n[up](#a-heading-of-ours)\n":     "",
	} {
		got := strings.Join(faultsOf("page.md", text), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func faultsOf(file, text string) (faults []string) {
	for _, c := range codeOf(text) {
		faults = append(faults, c.faults()...)
	}
	for _, name := range deployed.FindAllString(text, -1) {
		name = strings.TrimRight(name, "./")
		if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
			faults = append(faults, name+": no such file")
		}
	}
	return append(faults, deadLinks(file, text)...)
}

// code is a piece of a page that is written as it is typed.
type code struct {
	text   string
	inline bool
}

var (
	fenced   = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")
	indented = regexp.MustCompile(`(?m)^(?:    .*\n?)+`)
	quoted   = regexp.MustCompile("`([^`\n]+)`")
)

func codeOf(text string) (all []code) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		all = append(all, code{text: m[1]})
	}
	text = fenced.ReplaceAllString(text, "")
	for _, m := range indented.FindAllString(text, -1) {
		all = append(all, code{text: dedented(m)})
	}
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, code{text: m[1], inline: true})
	}
	return all
}

// dedented is a block without what all its lines begin with.
func dedented(block string) string {
	first := block[:len(block)-len(strings.TrimLeft(block, " "))]
	return strings.ReplaceAll("\n"+block, "\n"+first, "\n")
}

var (
	// ofConfig is a line that only a configuration of kshalb has.
	ofConfig = regexp.MustCompile(`(?m)^version: 1$`)
	// deployed is a file that people take from here.
	deployed = regexp.MustCompile(`\bdeploy/[\w./-]+`)
)

// command is a call of kshalb in a line, and what belongs to it.
var command = regexp.MustCompile(`^\s*(?:\$ |# )?(?:sudo )?kshalb ([a-z][a-z-]*)((?: [^;&|>#]*)?)`)

func (c code) faults() (faults []string) {
	if ofConfig.MatchString(c.text) {
		if _, err := config.Parse("snippet", []byte(c.text)); err != nil {
			faults = append(faults, err.Error())
		}
	}
	for line := range strings.Lines(c.text) {
		m := command.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		root := newRoot()
		i := slices.IndexFunc(root.Commands(), func(sub *cobra.Command) bool { return sub.Name() == m[1] })
		if i >= 0 {
			faults = append(faults, unknownFlags(root.Commands()[i], m[2])...)
		} else if c.inline { // in a block it may be what kshalb has said
			faults = append(faults, fmt.Sprintf("kshalb %s: there is no such command", m[1]))
		}
	}
	return faults
}

var flagWord = regexp.MustCompile(`(?:^|[\s\[|])(--[a-z][a-z-]*|-[a-z])\b`)

func unknownFlags(cmd *cobra.Command, args string) (faults []string) {
	cmd.InitDefaultHelpFlag()
	for _, m := range flagWord.FindAllStringSubmatch(args, -1) {
		f := m[1]
		known := cmd.Flags().Lookup(strings.TrimPrefix(f, "--"))
		if !strings.HasPrefix(f, "--") {
			known = cmd.Flags().ShorthandLookup(strings.TrimPrefix(f, "-"))
		}
		if known == nil {
			faults = append(faults, fmt.Sprintf("kshalb %s: there is no flag %s", cmd.Name(), f))
		}
	}
	return faults
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

func deadLinks(file, text string) (faults []string) {
	text = quoted.ReplaceAllString(fenced.ReplaceAllString(text, ""), "`$1`")
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		to, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(to, "://") {
			continue
		}
		there := text
		if to != "" {
			path := filepath.Join(filepath.Dir(file), to)
			if _, err := os.Stat(path); err != nil {
				faults = append(faults, to+": no such file")
				continue
			}
			if anchor != "" {
				other, err := os.ReadFile(path)
				if err != nil {
					faults = append(faults, err.Error())
				}
				there = string(other)
			}
		}
		if anchor != "" && !slices.Contains(slugs(there), anchor) {
			faults = append(faults, m[1]+": no such heading")
		}
	}
	return faults
}

// slugs are the anchors that headings have.
func slugs(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}
