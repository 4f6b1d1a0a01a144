package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// maxHostFile bounds what is read of one file of the host, in bytes.
const maxHostFile = 1 << 20

// errHidden is why a topic cannot be looked at from a container.
var errHidden = errors.New("this kshalb runs in a container, which does not see its host's processes and files;" +
	" run kshalb doctor on that host")

// hostFile reads a file of the host that has no more than maxHostFile bytes.
func (l *Looker) hostFile(name string) ([]byte, error) {
	data, err := l.hostHead(name)
	if err == nil && len(data) > maxHostFile {
		return nil, fmt.Errorf("read %s: it is larger than 1 MiB", name)
	}
	return data, err
}

// hostHead reads the beginning of a file of the host, which may be cut in the
// middle of a line. What is no regular file is not opened: a pipe would wait.
func (l *Looker) hostHead(name string) ([]byte, error) {
	f, err := os.OpenFile(l.path(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return readHead(f)
}

func readHead(f *os.File) ([]byte, error) {
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is no regular file", f.Name())
	}
	return io.ReadAll(io.LimitReader(f, maxHostFile+1))
}

// hostWord is the only word in a file of the kernel's; false: there is no file.
func (l *Looker) hostWord(name string) (string, bool) {
	data, err := l.hostHead(name)
	return strings.TrimSpace(string(data)), err == nil
}

// maxHostFiles bounds how many files of one folder are read.
const maxHostFiles = 200

// hostFiles are the names of the files below a pattern (path/filepath.Match).
func (l *Looker) hostFiles(pattern string) (names []string) {
	found, err := filepath.Glob(l.path(pattern))
	if err != nil {
		return nil
	}
	for _, name := range found[:min(len(found), maxHostFiles)] {
		names = append(names, "/"+strings.TrimPrefix(strings.TrimPrefix(name, filepath.Clean("/"+l.Root)), "/"))
	}
	return names
}

// manifestFolders are where kubelets look for static pods: kubeadm's, and those
// of RKE2 and k3s.
var manifestFolders = []string{
	"/etc/kubernetes/manifests", "/var/lib/rancher/rke2/agent/pod-manifests", "/var/lib/rancher/k3s/agent/pod-manifests",
}

// manifest is the file of a static pod, without comments.
type manifest struct{ file, text string }

// manifests are those that a kubelet of this host runs. That a folder is missing
// is no error.
func (l *Looker) manifests() (all []manifest, err error) {
	for _, folder := range manifestFolders {
		for _, file := range l.hostFiles(folder + "/*") {
			if strings.HasPrefix(filepath.Base(file), ".") {
				continue // so does the kubelet
			}
			data, err := l.hostFile(file)
			if errors.Is(err, fs.ErrPermission) {
				return nil, err
			}
			if err == nil {
				all = append(all, manifest{file, withoutComments(string(data))})
			}
		}
	}
	return all, nil
}

// withoutComments drops the lines that begin with "#".
func withoutComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// longFlag is a flag with its value, as the manifests of a control plane have
// them, in a list or in brackets.
var longFlag = regexp.MustCompile(`--[a-z0-9-]+=[^\s"']*`)

// flags are those of a pod's command.
func (m manifest) flags() []string {
	all := longFlag.FindAllString(m.text, -1)
	for i, f := range all {
		f = strings.TrimSuffix(f, ",")
		if strings.Count(f, "[") < strings.Count(f, "]") { // the end of the list
			f = strings.TrimSuffix(f, "]")
		}
		all[i] = f
	}
	return all
}

// flag finds the value of a flag among a program's arguments: --name=value or
// --name value, with one dash or two. The last one counts.
func flag(args []string, name string) (value string, given bool) {
	for i, arg := range args {
		key, v, joined := strings.Cut(arg, "=")
		if key != "--"+name && key != "-"+name {
			continue
		}
		given, value = true, v
		if !joined && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			value = args[i+1]
		}
	}
	return value, given
}

// hasWord reports whether an address or a name stands in a text by itself:
// 10.0.0.1 is not in 10.0.0.10.
func hasWord(text, word string) bool {
	part := func(c byte) bool {
		return c == '.' || c == ':' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for rest := text; word != ""; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		after := rest[i+len(word):]
		if (i == 0 || !part(rest[i-1])) && (after == "" || !part(after[0]) || after[0] == ':' && strings.Contains(word, ".")) {
			return true
		}
		rest = after
	}
	return false
}
