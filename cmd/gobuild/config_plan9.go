package main

import "maps"

// mergeConfig returns the values of the YAML document doc with those of env
// above them, by key. Viper's file system layer does not compile on Plan 9.
func mergeConfig(doc []byte, env map[string]string) (map[string]string, error) {
	file, err := configValues(doc)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range file {
		values[key] = value.(string)
	}
	maps.Copy(values, env)
	return values, nil
}
