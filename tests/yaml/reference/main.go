// Prints how gopkg.in/yaml.v3 decodes each YAML file into
// the object fields of the Go providers: one line of JSON, or the word error.
// Without files it reads texts from its input, each a JSON string on a line.
package main

import (
	"bufio"
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

func reading(text []byte) (result string) {
	defer func() {
		if recover() != nil {
			result = "panic" // a defect of yaml.v3
		}
	}()
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

// answerLines prints the reading of each text of the input on a line.
func answerLines() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(output, reading([]byte(text)))
	}
}

func main() {
	if len(os.Args) == 1 {
		answerLines()
	}
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(reading(text))
	}
}
