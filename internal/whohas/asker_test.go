package whohas

import (
	"net/netip"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// TestHeardTooLate: who is held up until the time is over hears what was said till
// then all the same, and not as an answer to the next question.
func TestHeardTooLate(t *testing.T) {
	l := labtest.New(t)
	vip := netip.MustParseAddr("192.168.0.10")
	owner, err := l.AddHost("owner", netip.PrefixFrom(vip, 24))
	if err != nil {
		t.Fatal(err)
	}
	here, err := l.AddHost("here", netip.MustParsePrefix("192.168.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	var a *Asker
	if err := here.Do(func() (err error) {
		a, err = Open("eth0", vip, netip.Addr{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx := labtest.Context(t, 10*time.Second)
	for heard := false; !heard; {
		if ctx.Err() != nil {
			t.Fatal("an answer that is there is not heard once the time is over")
		}
		if err := a.Ask(); err != nil {
			t.Fatal(err)
		}
		err := a.Hear(time.Now().Add(-time.Second), func(c Claim) {
			if heard = true; c.MAC.String() != owner.MAC().String() || !c.Answer {
				t.Errorf("heard %+v, want an answer of %s", c, owner.MAC())
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
