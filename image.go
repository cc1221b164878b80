package openinference

// imageRequest describes a request for images: to make, to edit or to vary them.
func imageRequest(body value) extract {
	x := contentRequest(body)
	x.format = body.get("output_format").str()
	return x
}

// imageResponse describes images, or the event that ends a stream of one.
func imageResponse(v value) (x extract) {
	x.format = v.get("output_format").str()
	x.facts = appendUsage(nil, v.get("usage"))
	data := v.get("data")
	if !data.isArray() {
		x.addImage(0, v)
	}
	for i, image := range data.items() {
		x.addImage(i, image)
	}
	return x
}

// addImage adds an image that is at a URL or in base64.
func (x *extract) addImage(i int, v value) {
	key := itemKey(OutputImagesKey, int64(i), ImageURLKey)
	if url := v.get("url").str(); url != "" {
		x.content = appendFound(x.content, key.String(url))
	} else if data := v.get("b64_json"); !data.isEmpty() {
		x.images = appendFound(x.images, large{key, data})
	}
}
