package keepalived

import "testing"

func TestHide(t *testing.T) {
	for text, want := range map[string]string{
		`auth_pass 1234`:                                `auth_pass ***`,
		`auth_pass "12 ! 34" # x`:                       `auth_pass *** # x`,
		`auth_pass '1 2' x`:                             `auth_pass *** x`,
		`authentication { auth_pass 1234}`:              `authentication { auth_pass ***}`,
		`auth_pass a{b`:                                 `auth_pass ***`,
		`$AUTH_PASS=1234`:                               `$AUTH_PASS=***`,
		`script "/x --password=1234 y"`:                 `script "/x --password=*** y"`,
		`token auth_pass 1234 x`:                        `token *** *** x`,
		`auth_pass`:                                     `auth_pass`,
		`vrrp_instance token_a {`:                       `vrrp_instance token_a {`,
		`priority 100`:                                  `priority 100`,
		`notify "/x --Token: 12" auth_pass 34 password`: `notify "/x --Token: ***" auth_pass *** password`,
	} {
		if got, _ := hide(text, false); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}

// TestHideAcrossLines: a word may come on the line after.
func TestHideAcrossLines(t *testing.T) {
	_, pending := hide("auth_pass\n", false)
	blank, still := hide("  \n", pending)
	got, done := hide(" 1234 x\n", still)
	if !pending || !still || done || blank != "  \n" || got != " *** x\n" {
		t.Errorf("%v %q %v %q %v", pending, blank, still, got, done)
	}
}
