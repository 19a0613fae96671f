//go:build !plan9

// The testscript package does not compile on Plan 9.

package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// The second name is what stage0 calls what it has downloaded.
	testscript.Main(m, map[string]func(){"gobuild": main, "buildlet.exe": main})
}

var update = flag.Bool("update", false, "write what the scripts compare output with anew")

// TestScript drives the real program by the scripts of testdata/script.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scriptCmds,
		Setup: func(env *testscript.Env) error {
			// A home and a configuration of its own, so that the machine's
			// do not leak in.
			home := filepath.Join(env.WorkDir, "home")
			config := filepath.Join(home, ".config", "gobuild", "config.yaml")
			if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
				return err
			}
			env.Setenv("HOME", home)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
			// Under -race a program waits a second at its end, for races to
			// show; the scripts start many that have ended before.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return os.WriteFile(config, nil, 0o600)
		},
	})
}
