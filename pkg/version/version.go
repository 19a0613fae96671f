// Package version says which gobuild this is: its release, the commit it was
// built from, the Go release that built it, and the port it runs on. The
// package imports nothing of gobuild, so every other may use it.
package version

import (
	"runtime"
	"runtime/debug"
)

// next is the release that the source stands before; it shows with "-dev"
// until a release build sets release.
const next = "0.1.0"

// Set by release builds:
//
//	go build -ldflags "-X gobuild/pkg/version.release=1.2.3 -X gobuild/pkg/version.commit=HASH"
var (
	release string
	commit  string
)

// Info describes a build of gobuild. Its JSON form is what
// "gobuild version --json" prints.
type Info struct {
	// Version is the release, such as "1.2.3", or "0.1.0-dev" between releases.
	Version string `json:"version"`
	// Commit is the revision of the source, with "-dirty" appended where the
	// checkout had changes; empty if the build did not record it.
	Commit string `json:"commit"`
	// GoVersion is the Go release that built the program, such as "go1.26.0".
	GoVersion string `json:"goVersion"`
	// GOOS is the operating system that the program was built for.
	GOOS string `json:"goos"`
	// GOARCH is the architecture that the program was built for.
	GOARCH string `json:"goarch"`
}

// String returns the release alone, such as "0.1.0-dev".
func String() string {
	if release != "" {
		return release
	}
	return next + "-dev"
}

// Get returns what is known about the running program.
func Get() Info {
	info := Info{
		Version:   String(),
		Commit:    commit,
		GoVersion: runtime.Version(),
		GOOS:      runtime.GOOS,
		GOARCH:    runtime.GOARCH,
	}
	if info.Commit == "" {
		if build, ok := debug.ReadBuildInfo(); ok {
			info.Commit = revision(build.Settings)
		}
	}
	return info
}

// revision returns the commit that the go command recorded, or "" if it
// recorded none (as with -buildvcs=false).
func revision(settings []debug.BuildSetting) string {
	var rev, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if rev == "" {
		return ""
	}
	return rev + dirty
}
