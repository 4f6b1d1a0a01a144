// Package page looks at the status page with a real browser. It is a module of its
// own, since nobody else needs the browser's driver. `make page` runs it.
package page
