package main

import (
	"fmt"
	"maps"

	"go.yaml.in/yaml/v3"
)

// mergeConfig returns the values of the YAML document doc with those of env
// above them, by key. Viper's file system layer does not compile on Plan 9.
func mergeConfig(doc []byte, env map[string]string) (map[string]string, error) {
	var file map[string]any
	if err := yaml.Unmarshal(doc, &file); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range file {
		if value != nil {
			values[key] = fmt.Sprint(value)
		}
	}
	maps.Copy(values, env)
	return values, nil
}
