package hooks

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
)

// block is the first block of a language in the page about hooks.
func block(t *testing.T, page, language string) string {
	t.Helper()
	_, behind, _ := strings.Cut(page, "```"+language+"\n")
	text, _, is := strings.Cut(behind, "```")
	if !is {
		t.Fatalf("the page has no block of %s", language)
	}
	return text
}

// TestPage holds docs/hooks.md against what a command is really told.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	var told []string
	for _, v := range (Event{}).environ("") {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "KSHALB_") {
			told = append(told, name)
		}
	}
	written := regexp.MustCompile(`KSHALB_[A-Z]+`).FindAllString(page, -1)
	slices.Sort(told)
	slices.Sort(written)
	if written = slices.Compact(written); !slices.Equal(told, written) {
		t.Errorf("the page has %q, commands get %q", written, told)
	}
	if out, err := exec.Command("sh", "-n", "-c", block(t, page, "sh")).CombinedOutput(); err != nil {
		t.Errorf("the example: %v: %s", err, out)
	}
	const small = "version: 1\nlisteners: [{name: a, bind: 127.0.0.1, port: 80, backends: {addresses: ['192.0.2.1:80']}}]\n"
	cfg, err := config.Parse("hooks.md", []byte(small+block(t, page, "yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Hooks) != 1 || !slices.Equal(cfg.Hooks[0].On, []string{Holder, Backend}) {
		t.Errorf("%+v", cfg.Hooks)
	}
}
