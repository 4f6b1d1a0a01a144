package proxy

import (
	"sync"
	"testing"
)

// TestMailboxAnswers: whoever asks is answered, whether the loop does not run
// yet, runs, ends meanwhile or has ended.
func TestMailboxAnswers(t *testing.T) {
	m := newMailbox()
	ask := message{order: resetAll}
	early := m.send(ask)
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 100 {
				if n := <-m.send(ask); n != 0 && n != 7 {
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
	if n := <-early; n != 7 {
		t.Errorf("who asked before it ran was answered %d", n)
	}
	if n := <-m.send(ask); n != 0 {
		t.Errorf("%d after it ended", n)
	}
}
