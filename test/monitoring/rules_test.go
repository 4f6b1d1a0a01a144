package monitoring

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

const folder = "../../deploy/monitoring"

// program is the path of one of Prometheus' programs.
func program(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("KSHALB_PROMETHEUS")
	if dir == "" {
		t.Skip("KSHALB_PROMETHEUS, the folder that has " + name + ", is not set: `make monitoring` gets one")
	}
	return filepath.Join(dir, name)
}

// promtool runs it in deploy/monitoring.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func TestRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint-fatal", "alerts.yaml")
	promtool(t, "test", "rules", "alerts_test.yaml")
	promtool(t, "check", "config", "prometheus.yaml")
}

// TestEveryAlertIsTested: each is seen to come, and seen to keep quiet.
func TestEveryAlertIsTested(t *testing.T) {
	rules, tests := read(t, "alerts.yaml"), read(t, "alerts_test.yaml")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(rules, -1)
	if len(alerts) < 15 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, a := range alerts {
		comes := regexp.MustCompile(fmt.Sprintf(`alertname: %s\n\s*eval_time: \w+\n\s*exp_alerts:\n`, a[1]))
		quiet := regexp.MustCompile(fmt.Sprintf(`alertname: %s, eval_time: \w+, exp_alerts: \[\]`, a[1]))
		if !comes.Match(tests) || !quiet.Match(tests) {
			t.Errorf("%s is not seen both to come and to keep quiet", a[1])
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
