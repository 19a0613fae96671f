package main

import (
	"slices"
	"testing"
)

func TestMulticall(t *testing.T) {
	for _, tt := range []struct{ argv, want []string }{
		{nil, nil},
		{[]string{"gobuild"}, nil},
		{[]string{"/usr/bin/gobuild", "buildlet", "-version"}, []string{"buildlet", "-version"}},
		{[]string{"./buildlet.exe", "-version"}, []string{"buildlet", "-version"}},
		{[]string{"buildlet"}, []string{"buildlet"}},
		{[]string{"/opt/Buildlet.linux-amd64", "--halt=false"}, []string{"buildlet", "--halt=false"}},
		{[]string{"stage0.exe", "-network-wait", "1m"}, []string{"stage0", "-network-wait", "1m"}},
		{[]string{"/opt/buildlet/gobuild", "version"}, []string{"version"}},
	} {
		if got := multicall(tt.argv); !slices.Equal(got, tt.want) {
			t.Errorf("multicall(%q) = %q, want %q", tt.argv, got, tt.want)
		}
	}
}
