// Package calls lets the nodes of a cluster ask one another: what a node sees of
// its host, say. It brings questions and answers over a wire that only brings
// messages, may bring one again, and says nothing about who sent it.
//
// A question is answered once: the one who asks first gets a ticket from the one
// who is asked, good for one question and for ten seconds. So nobody who has
// recorded a question can have it answered, or obeyed, again.
package calls

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

const (
	mark = 1 // the first byte; no other message of the nodes begins so

	ticketLife  = 10 * time.Second
	maxTickets  = 32 // at a time
	maxHandlers = 8  // questions that are being answered
)

// Handler answers questions of one topic. It may take as long as ctx lets it.
type Handler func(ctx context.Context, from string, question []byte) (answer []byte, err error)

// Config is what a node needs to ask and to be asked.
type Config struct {
	Self     string                                  // this node's name
	Send     func(node string, message []byte) error // may block for some seconds
	Handlers map[string]Handler                      // by topic
	Limit    time.Duration                           // that a handler may take
}

// Calls are the questions that this node asks and answers. It is safe for
// concurrent use.
type Calls struct {
	cfg Config

	mu      sync.Mutex
	waiting map[string]chan message // by the question's id
	tickets map[string]ticket
	busy    int // handlers that run
}

type ticket struct {
	node  string // to which it was given
	until time.Time
}

// The steps of a call.
const (
	stepHello  = "hello"  // give me a ticket
	stepTicket = "ticket" // here it is
	stepAsk    = "ask"    // the question, with the ticket
	stepAnswer = "answer"
)

type message struct {
	Step   string          `json:"step"`
	ID     string          `json:"id"` // of the question, made up by the one who asks
	From   string          `json:"from"`
	Ticket string          `json:"ticket,omitempty"`
	Topic  string          `json:"topic,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Err    string          `json:"err,omitempty"`
}

// New makes calls; it starts nothing.
func New(cfg Config) *Calls {
	return &Calls{cfg: cfg, waiting: make(map[string]chan message), tickets: make(map[string]ticket)}
}

// Ask asks another node and waits for its answer, or for the end of ctx, whatever
// the wire does. Question and answer are JSON. An error that the other node told is a [*Told].
func (c *Calls) Ask(ctx context.Context, node, topic string, question []byte) ([]byte, error) {
	id := random()
	answers := make(chan message, 2)
	c.mu.Lock()
	c.waiting[id] = answers
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, id)
	}()
	m, err := c.exchange(ctx, node, answers, message{Step: stepHello, ID: id}, stepTicket)
	if err != nil {
		return nil, err
	}
	m, err = c.exchange(ctx, node, answers, message{Step: stepAsk, ID: id, Ticket: m.Ticket, Topic: topic, Body: question}, stepAnswer)
	return m.Body, err
}

// Told is an error of the node that was asked, in its words.
type Told struct{ Node, Words string }

// Error is NODE: WORDS.
func (t *Told) Error() string { return t.Node + ": " + t.Words }

// exchange sends a message, and waits for the next step.
func (c *Calls) exchange(ctx context.Context, node string, answers <-chan message, m message, next string) (message, error) {
	sent := make(chan error, 1)
	go func() { sent <- c.send(node, m) }() // to a dead host it takes longer than ctx may last
	for {
		select {
		case err := <-sent:
			if err != nil {
				return m, err
			}
			sent = nil
		case a := <-answers:
			switch {
			case a.Err != "":
				return a, &Told{node, a.Err}
			case a.Step == next:
				return a, nil
			}
		case <-ctx.Done():
			return m, fmt.Errorf("ask %s: no answer: %w", node, context.Cause(ctx))
		}
	}
}

func (c *Calls) send(node string, m message) error {
	m.From = c.cfg.Self
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("ask %s: %w", node, err)
	}
	return c.cfg.Send(node, append([]byte{mark}, b...))
}

// Receive takes a message; false: it is none of calls. It does not block.
func (c *Calls) Receive(b []byte) bool {
	if len(b) == 0 || b[0] != mark {
		return false
	}
	var m message
	if json.Unmarshal(b[1:], &m) != nil {
		return true // of another version, or damaged: its sender learns by waiting
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.Step {
	case stepHello:
		c.hello(m)
	case stepAsk:
		c.asked(m)
	case stepTicket, stepAnswer:
		if answers := c.waiting[m.ID]; answers != nil {
			select {
			case answers <- m:
			default: // it was said again
			}
		}
	}
	return true
}

// hello gives a ticket, as long as there are any. c.mu is held.
func (c *Calls) hello(m message) {
	now := time.Now()
	for t, given := range c.tickets {
		if now.After(given.until) {
			delete(c.tickets, t)
		}
	}
	answer := message{Step: stepTicket, ID: m.ID, Ticket: random()}
	if len(c.tickets) >= maxTickets {
		answer = message{Step: stepTicket, ID: m.ID, Err: "is asked too much at once; try again in a while"}
	} else {
		c.tickets[answer.Ticket] = ticket{m.From, now.Add(ticketLife)}
	}
	go func() { _ = c.send(m.From, answer) }() // who does not get it has to ask again
}

// asked has a question answered. c.mu is held.
func (c *Calls) asked(m message) {
	given, ok := c.tickets[m.Ticket]
	delete(c.tickets, m.Ticket)
	handler := c.cfg.Handlers[m.Topic]
	var refusal string
	switch {
	case !ok || given.node != m.From || time.Now().After(given.until):
		return // an old question, said again
	case handler == nil:
		refusal = fmt.Sprintf("does not know %q; is it an older kshalb?", m.Topic)
	case c.busy >= maxHandlers:
		refusal = "is asked too much at once; try again in a while"
	default:
		c.busy++
	}
	go c.answer(m, handler, refusal)
}

func (c *Calls) answer(m message, handler Handler, refusal string) {
	answer := message{Step: stepAnswer, ID: m.ID, Err: refusal}
	if refusal == "" {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Limit)
		body, err := handler(ctx, m.From, m.Body)
		cancel()
		c.mu.Lock()
		c.busy--
		c.mu.Unlock()
		answer.Body = body
		if err != nil {
			answer.Body, answer.Err = nil, err.Error()
		}
	}
	_ = c.send(m.From, answer) // who does not get it learns by waiting
}

func random() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails, says its documentation
	return hex.EncodeToString(b)
}
