package e2e

import (
	"os"
	"path/filepath"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// TestStaticPods: Kubernetes' own types take the manifests, and no field of them is
// misspelled.
func TestStaticPods(t *testing.T) {
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, name := range []string{"master.yaml", "node.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/static-pods", name))
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := strict.Decode(text, nil, nil)
		pod, ok := object.(*v1.Pod)
		if err != nil || !ok {
			t.Errorf("%s is %T, %v", name, object, err)
			continue
		}
		c := pod.Spec.Containers[0]
		if pod.Namespace != "kube-system" || !pod.Spec.HostNetwork || c.LivenessProbe.HTTPGet.Port.IntValue() != 9446 || len(c.VolumeMounts) != len(pod.Spec.Volumes) {
			t.Errorf("%s: %+v", name, pod)
		}
	}
}
