package buildlet

import "testing"

func TestExitState(t *testing.T) {
	accessViolation := uint32(0xc0000005) // negative as an int of 32 bits
	for _, tt := range []struct {
		text        string
		ok, started bool
		code        int
	}{
		{"ok", true, true, 0},
		{"exit status 1", false, true, 1},
		{"exit status 42", false, true, 42},
		{"exit status 3 (core dumped)", false, true, 3},
		{"exit status 0xc0000005", false, true, int(accessViolation)},
		{"exit status: 'sh 123: boom'", false, true, 1}, // Plan 9
		{"signal: killed", false, true, 137},
		{"signal: terminated", false, true, 143},
		{"signal: segmentation fault (core dumped)", false, true, 139},
		{"signal: signal 34", false, true, 162},
		{"signal: what", false, true, 128},
		{"fork/exec /no/such: no such file or directory", false, false, 127},
		{"exec: \"x\": executable file not found in %PATH%", false, false, 127},
		{"fork/exec /etc/passwd: permission denied", false, false, 126},
		{"fork/exec /x: exec format error", false, false, 126},
		{"something else", false, false, 1},
	} {
		s := ExitState{tt.text}
		if s.OK() != tt.ok || s.Started() != tt.started || s.Code() != tt.code {
			t.Errorf("%q: OK %t, started %t, code %d; want %t, %t, %d", tt.text, s.OK(), s.Started(), s.Code(), tt.ok, tt.started, tt.code)
		}
	}
}

func TestParseEntry(t *testing.T) {
	const sum = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	for _, tt := range []struct {
		line             string
		mode, name, sha1 string
		size             int64
		time             string
	}{
		{"drwxr-xr-x\tsrc/", "drwxr-xr-x", "src/", "", 0, ""},
		{"Lrwxrwxrwx\tlink", "Lrwxrwxrwx", "link", "", 0, ""},
		{"-rw-r--r--\ta b\t12\t2020-02-03T04:05:06Z", "-rw-r--r--", "a b", "", 12, "2020-02-03T04:05:06Z"},
		{"-rw-r--r--\tf\t0\t2020-02-03T04:05:06Z\t" + sum, "-rw-r--r--", "f", sum, 0, "2020-02-03T04:05:06Z"},
		{"-rw-r--r--\ttab\there\t7\t2020-02-03T04:05:06Z", "-rw-r--r--", "tab\there", "", 7, "2020-02-03T04:05:06Z"},
		{"-rw-r--r--\t\t5\t2020-02-03T04:05:06Z", "-rw-r--r--", "", "", 5, "2020-02-03T04:05:06Z"}, // a file was listed
	} {
		e, err := parseEntry(tt.line)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		stamp := ""
		if !e.Time.IsZero() {
			stamp = e.Time.Format("2006-01-02T15:04:05Z")
		}
		if e.Mode != tt.mode || e.Name != tt.name || e.Digest != tt.sha1 || e.Size != tt.size || stamp != tt.time {
			t.Errorf("%q: %+v", tt.line, e)
		}
	}
	for _, line := range []string{"", "no tab", "-rw-r--r--\tf\t99999999999999999999\t2020-02-03T04:05:06Z", "-rw-r--r--\tf\t1\t2020-99-03T04:05:06Z"} {
		if e, err := parseEntry(line); err == nil {
			t.Errorf("%q was taken for %+v", line, e)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add("-rw-r--r--\tf\t0\t2020-02-03T04:05:06Z\tda39a3ee5e6b4b0d3255bfef95601890afd80709")
	f.Add("drwxr-xr-x\tsrc/")
	f.Add("\t\t\t")
	f.Fuzz(func(t *testing.T, line string) {
		if e, err := parseEntry(line); err == nil && e.Line != line {
			t.Errorf("%q became %q", line, e.Line)
		}
	})
}
