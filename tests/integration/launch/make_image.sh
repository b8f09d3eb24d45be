#!/bin/sh
# Packs directories, each a layer, into an OCI image layout.
# usage: make_image.sh OUT TAG LAYER_DIR...
set -eu

out=$1
tag=$2
shift 2
mkdir -p "$out/blobs/sha256"

# Moves a file among the blobs; prints its descriptor of the given media type.
blob() {
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    size=$(stat -c %s "$1")
    mv "$1" "$out/blobs/sha256/$digest"
    printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s%s}' "$2" "$digest" "$size" "${3-}"
}

layers=
for layer in "$@"; do
    tar --create --gzip --file "$out/layer" --directory "$layer" .
    layers="$layers${layers:+,}$(blob "$out/layer" layer.v1.tar+gzip)"
done
printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin:/usr/bin","FROM_IMAGE=yes"]}}' >"$out/config"
config=$(blob "$out/config" config.v1+json)
printf '{"schemaVersion":2,"config":%s,"layers":[%s]}' "$config" "$layers" >"$out/manifest"
manifest=$(blob "$out/manifest" manifest.v1+json ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"$tag\"}")
printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$out/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
