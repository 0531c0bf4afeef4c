# The container image: docs/containers.md. Needs the binaries of `make cross`, and Debian's ca-certificates.

.PHONY: image image-layout test-image

image: cross-amd64 cross-arm64 cross-armv7 cross-armv6 image-layout

image-layout:
	cd cross/image && CGO_ENABLED=0 go run . -dist $(CURDIR)/dist -out $(CURDIR)/dist/image -version $(VERSION) -created $(BUILT)

# As far as a container can run without a runtime: the image's files, user and environment in namespaces of their own.
test-image: image-layout
	cd cross/image && CGO_ENABLED=0 go vet . && FIELDGATE_IMAGE=$(CURDIR)/dist/image CGO_ENABLED=0 go test -count=1 -v $(ARGS) .
