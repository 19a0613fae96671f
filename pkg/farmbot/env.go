package farmbot

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gobuild/pkg/hint"
)

// ReadEnv reads a file of KEY=VALUE lines. Empty lines and those that begin
// with # are passed over, "export " before a key too, and a pair of quotes
// around a value; nothing is expanded.
func ReadEnv(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var env []string
	scan := bufio.NewScanner(f)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			// The line may hold a secret.
			return nil, hint.With(fmt.Errorf("%s:%d: there is no = in the line", file, n), "write KEY=VALUE")
		}
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		if err := checkEnv([]string{key + "=" + value}); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		env = append(env, key+"="+value)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return env, nil
}

// ownNames are variables that the buildlet sets for each command itself.
var ownNames = []string{"TMPDIR", "GOCACHE", "GOPLSCACHE", "WORKDIR", "RUN_BOT_OF"}

// checkEnv says what is wrong with variables for what is built. It shows no
// values.
func checkEnv(env []string) error {
	for _, kv := range env {
		key, value, ok := strings.Cut(kv, "=")
		switch {
		case !ok || key == "":
			return hint.With(errors.New("a variable for what is built is no KEY=VALUE"), "as CGO_ENABLED=0")
		case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f || r == ',' || r == '"' }) || strings.ContainsRune(value, 0):
			return fmt.Errorf("variable %q has what no variable has in it", key)
		case strings.HasPrefix(strings.ToUpper(key), "GOBUILD_"):
			return hint.With(fmt.Errorf("variable %s is a setting of gobuild itself", key), "put it into the configuration")
		case slices.Contains(ownNames, strings.ToUpper(key)):
			return hint.With(fmt.Errorf("variable %s is what the buildlet sets for each command", key), "it points into the work directory; leave it out")
		}
	}
	return nil
}
