// Package haproxy makes a plan of HAProxy's configuration, haproxy.cfg, in the
// grammar of versions 1.8 to 3.x: each bind of a frontend in TCP mode with the
// servers of its backend becomes a listener. What HTTP mode, stick tables, rules
// and other sections do beyond that is told in notes.
//
// The reference is HAProxy's configuration manual (docs.haproxy.org): sections 2.2
// to 2.5 for words, variables, conditions and times, 3 for global, 4 for proxies,
// 5 for bind and server, 7 for ACLs.
//
// The package opens no file and looks up no name. It never reads what passwords
// are: of a line that may hold one, notes quote its keyword alone.
package haproxy
