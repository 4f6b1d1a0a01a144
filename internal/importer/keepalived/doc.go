// Package keepalived makes a plan of keepalived.conf, in the grammar of versions
// 1.x and 2.x: the addresses of vrrp_instance become VIPs, and each TCP
// virtual_server a listener. Given the files of several nodes it joins them, and
// tells where they contradict each other.
//
// The reference is keepalived.conf(5) of version 2.2.7, and for what stands in no
// manual (comments in quotes, braces, what a line may hold) that program itself,
// asked with keepalived -t.
//
// The package opens no file but through [plan.Input.Glob], runs no script and looks
// up no name. What follows a word such as auth_pass is taken away before a line is
// split, and notes quote no arguments of scripts.
package keepalived
