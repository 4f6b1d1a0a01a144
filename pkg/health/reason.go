package health

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// succeeded is the reason of every transition to Up.
const succeeded = "probe succeeded"

// reason says in a few words why a probe failed, without the names and
// addresses that an error repeats at every step of its way up.
func reason(err error, timeout time.Duration) string {
	if isTimeout(err) {
		return fmt.Sprintf("timeout after %v", timeout)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error() // connection refused, no route to host, ...
	}
	if text := tlsReason(err); text != "" {
		return text
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed before the answer"
	}
	return printable(err.Error(), 120)
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err) // context.DeadlineExceeded is one
	return ok && t.Timeout()
}

// tlsReason is "" for what is not a matter of TLS.
func tlsReason(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "certificate signed by unknown authority"
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return "certificate is not for " + name.Host
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "certificate has expired or is not yet valid"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "answer is not TLS"
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alert.Error()
	}
	return ""
}
