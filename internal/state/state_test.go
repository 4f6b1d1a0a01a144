package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSaveAndLoad(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "a", "kshalb"))
	if s, err := f.Load(); err != nil || !s.Equal(State{}) {
		t.Errorf("without a folder: %+v, %v", s, err)
	}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	for _, want := range []State{{}, {Voters: []string{"m1", "m2"}}, {Voters: []string{"m1"}, Bootstrapped: true}} {
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		got, err := f.Load()
		if err != nil || !got.Equal(want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		if err := f.Prepare(); err != nil { // leaves it as it is
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(f.File())
	if diff := cmp.Diff(`{"voters":["m1"],"bootstrapped":true}`+"\n", string(data)); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	info, err := os.Stat(f.File())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if left, err := os.ReadDir(string(f)); len(left) != 1 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A write that a crash cut off is not there, and stands in nobody's way.
func TestCutOffWrite(t *testing.T) {
	f := Folder(t.TempDir())
	want := State{Voters: []string{"m1"}, Bootstrapped: true}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(f), pending), []byte(`{"vot`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(); err != nil || !got.Equal(want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := f.Save(State{}); err != nil {
		t.Error(err)
	}
}

// A file beside the state is written as the state is, and does not touch it.
func TestWriteFile(t *testing.T) {
	f := Folder(t.TempDir())
	want := State{Voters: []string{"m1"}}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first, and longer", "second"} {
		if err := f.WriteFile("more", []byte(text)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(string(f), "more"))
		if string(data) != text || err != nil {
			t.Errorf("%q, %v", data, err)
		}
	}
	if got, err := f.Load(); err != nil || !got.Equal(want) {
		t.Errorf("%+v, %v", got, err)
	}
	if left, err := os.ReadDir(string(f)); len(left) != 2 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := (f + "/missing").WriteFile("more", nil); err == nil {
		t.Error("it was written")
	}
}

func TestDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"cut off":          `{"voters":["m1"],"boot`,
		"zeros":            strings.Repeat("\x00", 64),
		"another type":     `{"voters":"m1","bootstrapped":true}`,
		"an unknown key":   `{"voters":[],"bootstrapped":true,"more":1}`,
		"a missing key":    `{"voters":[]}`,
		"a null":           `{"voters":null,"bootstrapped":true}`,
		"nothing in it":    `{}`,
		"a nameless voter": `{"voters":[""],"bootstrapped":true}`,
		"two objects":      `{"voters":[],"bootstrapped":true}{}`,
		"a list":           `[]`,
		"too large":        `{"voters":[],"bootstrapped":true}` + strings.Repeat(" ", maxSize),
	} {
		t.Run(name, func(t *testing.T) {
			f := Folder(t.TempDir())
			if err := os.WriteFile(f.File(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := f.Load()
			if err == nil || !s.Equal(State{}) {
				t.Fatalf("%+v, %v", s, err)
			}
			for _, want := range []string{f.File() + " is damaged (", "remove cluster.bootstrap", "then delete the file"} {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%q, want %q", err, want)
				}
			}
		})
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		f := Folder(path)
		if err := f.Prepare(); err == nil || !strings.HasPrefix(err.Error(), "use the state folder "+path+": ") {
			t.Errorf("Prepare: %v", err)
		}
		if err := f.Save(State{}); err == nil {
			t.Error("it was saved")
		}
		if _, err := f.Load(); err == nil {
			t.Error("what can't be read is not empty")
		}
	}
}
