package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gobuild/pkg/version"
)

// newVersionCommand returns "gobuild version".
func newVersionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which gobuild this is",
		Long: `Version prints the release, the commit it was built from, the Go release that
built it, and the port it was built for.`,
		Example: `  gobuild version
  gobuild version --json`,
		RunE: func(*cobra.Command, []string) error {
			info := version.Get()
			if a.jsonOut {
				return a.printJSON(info)
			}
			commit := info.Commit
			if commit == "" {
				commit = "unknown"
			}
			_, err := fmt.Fprintf(a.stdout, "gobuild %s\ncommit %s\nbuilt with %s for %s/%s\n",
				info.Version, commit, info.GoVersion, info.GOOS, info.GOARCH)
			return err
		},
	}
	return withoutConfig(cmd)
}
