package proxy

import (
	"sync"
	"testing"
)

// TestMailboxAnswers: whoever asks is answered, whether the loop does not run
// yet, runs, ends meanwhile or has ended.
func TestMailboxAnswers(t *testing.T) {
	m, err := newMailbox()
	if err != nil {
		t.Fatal(err)
	}
	if n := <-m.send(resetAll); n != 0 {
		t.Errorf("%d before it runs", n)
	}
	m.begin()
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 100 {
				if n := <-m.send(resetAll); n != 0 && n != 7 {
					t.Errorf("answer %d", n)
				}
			}
		})
	}
	for answered := 0; answered < 400; {
		for _, one := range m.receive() {
			one.reply <- 7
			answered++
		}
	}
	m.end()
	asking.Wait()
	if n := <-m.send(stopAccepting); n != 0 {
		t.Errorf("%d after it ended", n)
	}
}
