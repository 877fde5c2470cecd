// Prints what gopkg.in/yaml.v3 makes of each YAML file when it decodes it into
// the object fields of the Go providers: one line of JSON, or the word error.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"gopkg.in/yaml.v3"
)

type entry struct {
	ObjectName     string         `yaml:"objectName" json:"objectName"`
	SecretPath     string         `yaml:"secretPath" json:"secretPath"`
	SecretKey      string         `yaml:"secretKey" json:"secretKey"`
	Method         string         `yaml:"method" json:"method"`
	SecretArgs     map[string]any `yaml:"secretArgs" json:"secretArgs"`
	FilePermission os.FileMode    `yaml:"filePermission" json:"filePermission"`
	Encoding       string         `yaml:"encoding" json:"encoding"`
}

func reading(text []byte) string {
	entries := []entry{}
	if err := yaml.Unmarshal(text, &entries); err != nil {
		return "error"
	}
	if entries == nil {
		entries = []entry{}
	}
	line, err := json.Marshal(entries)
	if err != nil {
		return "error" // a body that cannot become JSON fails the read
	}
	return string(line)
}

func main() {
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(reading(text))
	}
}
