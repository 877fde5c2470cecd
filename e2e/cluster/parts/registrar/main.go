// registrar SOCKET NAME ENDPOINT announces a CSI driver to the kubelet's plugin watcher.
//
// It replaces node-driver-registrar, which cannot be built as a Go module alone.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type plugin struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
}

func (p plugin) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: p.name, Endpoint: p.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (plugin) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	log.Printf("registered=%v %s", s.PluginRegistered, s.Error)
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: registrar SOCKET NAME ENDPOINT")
	}
	socket := os.Args[1]
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, plugin{name: os.Args[2], endpoint: os.Args[3]})
	log.Fatal(server.Serve(listener))
}
