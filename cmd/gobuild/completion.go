package main

import (
	"github.com/spf13/cobra"
)

// newCompletionCommand returns "gobuild completion".
func newCompletionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Completion prints a script that teaches a shell to complete gobuild's commands,
flags and arguments. The script asks gobuild itself, so it needs no renewal
when the farm changes.`,
		Example: `  gobuild completion bash > /etc/bash_completion.d/gobuild
  gobuild completion zsh > "${fpath[1]}/_gobuild"
  gobuild completion fish > ~/.config/fish/completions/gobuild.fish
  gobuild completion powershell | Out-String | Invoke-Expression`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return usageErrorf("unknown shell %q: want bash, zsh, fish or powershell", args[0])
		},
	}
	return withoutConfig(cmd)
}
