package doctor

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	findings := []Finding{
		{Level: Fault, Topic: "answers", Node: "master1", Saw: "two answer", Why: "half of the clients are lost", Mend: "stop one\nor the other"},
		{Level: Unseen, Topic: "peers", Node: "master2", Saw: "no answer"},
		{Level: Fine, Topic: "port", Saw: "free"},
	}
	var b strings.Builder
	if err := Text(&b, findings, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	const want = `fault    answers on master1: two answer
         why   half of the clients are lost
         mend  stop one
               or the other
unseen   peers on master2: no answer
1 fault, 0 warnings, 1 not seen, 1 fine
`
	if b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
}
