# Packages of what `make cross` builds: .deb, .rpm and tarballs, into dist/packages. cross/README.md says what they hold.

NFPM = go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0

# Binaries of the packages: ARMv6 is for every 32-bit ARM. armel is plain Debian on a Pi Zero.
DEBS          = amd64 arm64 riscv64 armhf armel
RPMS          = x86_64 aarch64
TARBALLS      = $(CROSS:%=linux-%)
BINARY_amd64   = amd64
BINARY_arm64   = arm64
BINARY_riscv64 = riscv64
BINARY_armhf   = armv6
BINARY_armel   = armv6
BINARY_x86_64  = amd64
BINARY_aarch64 = arm64
# What nfpm calls them.
NFPM_armhf   = arm6
NFPM_armel   = arm5
NFPM_x86_64  = amd64
NFPM_aarch64 = arm64

PACKAGES        = dist/packages
PACKAGE_VERSION = $(shell cross/packages/version.sh $(VERSION) $(BUILT))
export SOURCE_DATE_EPOCH ?= $(shell date -d $(BUILT) +%s)

.PHONY: packages packages-share packages-check $(DEBS:%=deb-%) $(RPMS:%=rpm-%) $(TARBALLS:%=tarball-%)

packages: $(DEBS:%=deb-%) $(RPMS:%=rpm-%) $(TARBALLS:%=tarball-%)
	cd $(PACKAGES) && sha256sum *.deb *.rpm *.tar.gz *.cdx.json >SHA256SUMS
	cross/packages/check.sh $(PACKAGES)

# What all packages share, also of the time: a second build has the same.
packages-share: cross-amd64
	rm -rf dist/share $(PACKAGES) && mkdir -p dist/share $(PACKAGES)
	go test -tags $(TAGS) -count=1 -run TestPages ./cmd/fieldgate -args -pages $(CURDIR)/dist/share
	go run ./cross/packages/inventory notices dist/linux-amd64/fieldgate $(PACKAGE_VERSION) >dist/share/THIRD-PARTY-NOTICES
	cp CHANGELOG.md dist/share/changelog
	printf 'fieldgate (%s-1) unstable; urgency=medium\n\n  * What changed is in changelog.gz, beside this file.\n\n -- %s  %s\n' \
		'$(PACKAGE_VERSION)' 'Fieldgate developers <packages@fieldgate.example>' "$$(date -uRd $(BUILT))" >dist/share/changelog.Debian
	gzip -9n dist/share/man/* dist/share/THIRD-PARTY-NOTICES dist/share/changelog dist/share/changelog.Debian

nfpm = ARCH=$(or $(NFPM_$*),$*) BINARY=dist/linux-$(BINARY_$*)/fieldgate PACKAGE_VERSION='$(PACKAGE_VERSION)' CGO_ENABLED=0 \
	$(NFPM) package -f cross/packages/nfpm.yaml

.SECONDEXPANSION:
$(DEBS:%=deb-%): deb-%: packages-share cross-$$(BINARY_$$*)
	$(nfpm) -p deb -t $(PACKAGES)/

$(RPMS:%=rpm-%): rpm-%: packages-share cross-$$(BINARY_$$*)
	$(nfpm) -p rpm -t $(PACKAGES)/

$(TARBALLS:%=tarball-%): tarball-linux-%: packages-share cross-%
	cross/packages/tarball.sh dist/linux-$*/fieldgate fieldgate_$(PACKAGE_VERSION)_linux-$* $(PACKAGES)
	go run ./cross/packages/inventory sbom dist/linux-$*/fieldgate $(PACKAGE_VERSION) >$(PACKAGES)/fieldgate_$(PACKAGE_VERSION)_linux-$*.cdx.json

# A second build elsewhere, with an empty cache, makes the same bytes. It takes some minutes.
.PHONY: reproduce release apt-repo test-apt-repo
reproduce: packages
	cross/packages/reproduce.sh $(PACKAGES)

# Everything for a release of the tag at the last commit. KEY=fingerprint signs by gpg.
release:
	cross/packages/release.sh $(PACKAGES) '$(KEY)'

# The packages as an apt repository in a folder. REPO may be one that has older versions.
REPO ?= dist/apt
apt-repo:
	cross/packages/apt-repo.sh $(REPO) '$(KEY)' $(PACKAGES)/*.deb

test-apt-repo: life-packages
	@set -e; for suite in $(SUITE); do cross/packages/root.sh $$suite amd64 $(ROOTS)/$$suite-amd64; done
	cross/packages/test_repo.sh $(LIFE) $(SUITE:%=$(ROOTS)/%-amd64)

# Installs, upgrades and removes the package on Debians made of packages, which are kept in ROOTS.
SUITE ?= bookworm trixie
ROOTS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fieldgate
LIFE   = dist/life

.PHONY: test-install life-packages
test-install: life-packages
	@set -e; for suite in $(SUITE); do \
		begin=$$SECONDS; root=$(ROOTS)/$$suite-amd64; \
		cross/packages/root.sh $$suite amd64 $$root; made=$$((SECONDS - begin)); \
		cross/packages/container.sh $$root $(LIFE) env OLD=0.1.0-1 NEW_PROGRAM=v0.2.0 bash /payload/life.sh; \
		echo "test-install: $$suite in $$((SECONDS - begin)) s, $$made of them for making the system"; \
	done

# Installs on emulated arm64 and, with an ARMv6 processor for the gateway, armhf. Needs qemu-user-static and mosquitto.
.PHONY: test-install-foreign
test-install-foreign: deb-arm64 deb-armhf
	cross/packages/foreign_root.sh bookworm arm64 $(ROOTS)/bookworm-arm64
	cross/packages/foreign_root.sh bookworm armhf $(ROOTS)/bookworm-armhf
	cross/packages/foreign.sh cross/packages/foreign_life.sh $(ROOTS)/bookworm-arm64 $(PACKAGES)/*_arm64.deb max
	cross/packages/foreign.sh cross/packages/foreign_life.sh $(ROOTS)/bookworm-armhf $(PACKAGES)/*_armhf.deb arm1176

# The same program twice, with an old and a new version.
life-packages:
	rm -rf $(LIFE)
	$(MAKE) deb-amd64 VERSION=v0.2.0 PACKAGES=$(LIFE)/new
	$(MAKE) deb-amd64 VERSION=v0.1.0 PACKAGES=$(LIFE)/old
	cross/packages/tarball.sh dist/linux-amd64/fieldgate fieldgate $(LIFE)
	cp $(LIFE)/old/*.deb $(LIFE)/old.deb
	cp $(LIFE)/new/*.deb $(LIFE)/new.deb
	cp cross/packages/life.sh $(LIFE)
