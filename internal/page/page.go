// Package page shows a node to a person with a browser: one page that needs nothing
// else, and the stream of events that keeps it up to date.
package page

import (
	"crypto/sha256"
	_ "embed" // of the page
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

//go:embed index.html
var index string

// LivePath is where the stream is.
const LivePath = "/api/v1/live"

// policy lets the page run its own script and style, talk to its own server, and
// nothing else (CSP level 3, section 6.1).
var policy = fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	hash("script"), hash("style"))

// hash names what is in the page's only element of a kind.
func hash(element string) string {
	_, text, _ := strings.Cut(index, "<"+element+">")
	text, _, _ = strings.Cut(text, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Serve is the handler of the page.
func Serve(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	_, _ = fmt.Fprint(w, index) // a browser that is gone
}
