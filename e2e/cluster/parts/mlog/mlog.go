// Package mlog replaces monis.app/mlog, the one dependency of the CSI driver that no module proxy has any more.
// It covers exactly what the driver calls, over plain klog.
package mlog

import (
	"context"
	"os"

	"k8s.io/klog/v2"
)

// LogFormat is the format of log lines; here every format is klog's text.
type LogFormat string

// The two formats of the driver's command line.
const (
	FormatText LogFormat = "text"
	FormatJSON LogFormat = "json"
)

// Setup returns the function that flushes the log at the end of main.
func Setup() func() { return klog.Flush }

// ValidateAndSetKlogLevelAndFormatGlobally has nothing to do: the driver's own -v flag sets klog's level.
func ValidateAndSetKlogLevelAndFormatGlobally(context.Context, klog.Level, LogFormat) error {
	return nil
}

// Error logs a failure.
func Error(msg string, err error, kv ...any) { klog.ErrorS(err, msg, kv...) }

// Info logs a message.
func Info(msg string, kv ...any) { klog.InfoS(msg, kv...) }

// Fatal logs a failure and ends the process.
func Fatal(err error) {
	klog.ErrorS(err, "fatal")
	klog.Flush()
	os.Exit(1)
}
