package buildlet

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// laterEnv is the variable in which a supervisor hands over what is for builds
// only, for when the buildlet has become another user: before that, nothing of it
// is to matter to the buildlet itself.
const laterEnv = "GOBUILD_LATER_ENV"

// EncodeEnv returns a variable, as KEY=VALUE, that TakeEnv takes env out of.
func EncodeEnv(env []string) (string, error) {
	text, err := json.Marshal(env)
	return laterEnv + "=" + string(text), err
}

// TakeEnv sets the variables that EncodeEnv has encoded. Where there are none,
// nobody has seen to the environment, and it becomes fallback.
func TakeEnv(fallback []string) error {
	env := fallback
	if text, ok := os.LookupEnv(laterEnv); ok {
		env = nil
		if err := json.Unmarshal([]byte(text), &env); err != nil {
			return fmt.Errorf("$%s is no list of variables", laterEnv)
		}
		os.Unsetenv(laterEnv)
	} else {
		os.Clearenv()
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
	}
	return nil
}
