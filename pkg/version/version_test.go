package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestString(t *testing.T) {
	if got, want := String(), next+"-dev"; got != want {
		t.Errorf("between releases: %q, want %q", got, want)
	}
	release = "1.2.3"
	defer func() { release = "" }()
	if got := String(); got != "1.2.3" {
		t.Errorf("at a release: %q, want 1.2.3", got)
	}
}

func TestGet(t *testing.T) {
	commit = "abc"
	defer func() { commit = "" }()
	want := Info{String(), "abc", runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if got := Get(); got != want {
		t.Errorf("Get() = %+v, want %+v", got, want)
	}
}

func TestRevision(t *testing.T) {
	rev := debug.BuildSetting{Key: "vcs.revision", Value: "abc"}
	for _, tt := range []struct {
		name     string
		settings []debug.BuildSetting
		want     string
	}{
		{"none", nil, ""},
		{"clean", []debug.BuildSetting{rev, {Key: "vcs.modified", Value: "false"}}, "abc"},
		{"changed", []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, rev}, "abc-dirty"},
		{"changed, unknown", []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := revision(tt.settings); got != tt.want {
				t.Errorf("revision = %q, want %q", got, tt.want)
			}
		})
	}
}
