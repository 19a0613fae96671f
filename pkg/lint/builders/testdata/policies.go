// The policies that examples in the documentation of rules use, as upstream has
// them.
package dashboard

func disabledBuilder(repo, branch, goBranch string) bool { return false }

func onlyGo(repo, branch, goBranch string) bool { return repo == "go" }

func defaultTrySet() func(proj, branch, goBranch string) bool {
	return func(proj, branch, goBranch string) bool { return proj == "go" || buildRepoByDefault(proj) }
}

func explicitTrySet(projs ...string) func(proj, branch, goBranch string) bool {
	return func(proj, branch, goBranch string) bool {
		for _, p := range projs {
			if proj == p {
				return true
			}
		}
		return false
	}
}

func defaultPlus(repos ...string) func(repo, branch, goBranch string) bool {
	return func(repo, branch, goBranch string) bool {
		for _, r := range repos {
			if repo == r {
				return true
			}
		}
		return buildRepoByDefault(repo)
	}
}
