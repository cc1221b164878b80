package openinference

import "go.opentelemetry.io/otel/attribute"

// imageRequest describes a request for images: to make, to edit or to vary them. What it
// sends as files is not in its JSON.
func imageRequest(body value) extract {
	x := contentRequest(body)
	x.format = body.get("output_format").str()
	var urls []string
	add := func(image value) {
		if url := urlOf(image.get("image_url")); url != "" {
			urls = appendFound(urls, url)
		}
	}
	for _, image := range body.get("images").items() {
		add(image)
	}
	add(body.get("mask"))
	x.content = imageInput(body.get("prompt").str(), urls)
	return x
}

// imageInput returns the attributes of the images of a request. They are a message too, as
// Phoenix draws those, and so is the prompt that goes with them. A prompt alone is none:
// input.value shows it.
func imageInput(prompt string, urls []string) []attribute.KeyValue {
	if len(urls) == 0 {
		return nil
	}
	in := messages{list: LLMInputMessagesKey}
	in.textPart(typeText, prompt)
	for i, url := range urls {
		in.kvs = appendFound(in.kvs, itemKey(InputImagesKey, int64(i), ImageURLKey).String(url))
		in.mediaPart(typeImage, partImageURL, url)
		in.parts++
	}
	return in.kvs
}

// imageResponse describes images, or the event that ends a stream of one.
func imageResponse(v value) (x extract) {
	x.format = v.get("output_format").str()
	x.facts = appendUsage(nil, v.get("usage"))
	out := messages{list: LLMOutputMessagesKey}
	data := v.get("data")
	if !data.isArray() {
		x.addImage(0, v, &out)
	}
	for i, image := range data.items() {
		x.addImage(i, image, &out)
	}
	x.content = out.kvs
	return x
}

// addImage adds an image that is at a URL or in base64, and to out the prompt that it was
// made with, if that is not the caller's, and the image itself.
func (x *extract) addImage(i int, v value, out *messages) {
	out.textPart(typeText, v.get("revised_prompt").str())
	if url := v.get("url").str(); url != "" {
		out.kvs = appendFound(out.kvs, itemKey(OutputImagesKey, int64(i), ImageURLKey).String(url))
		out.mediaPart(typeImage, partImageURL, url)
		out.parts++
	} else {
		x.addBase64Image(i, v.get("b64_json"), out)
	}
}

// addBase64Image adds an image in base64, unless it is empty.
func (x *extract) addBase64Image(i int, data value, out *messages) {
	if !data.isEmpty() && len(x.images) < maxAttributes/2 { // as each makes two
		out.setPart(MessageContentTypeKey, typeImage)
		x.images = append(x.images, image{itemKey(OutputImagesKey, int64(i), ImageURLKey), out.partKey(partImageURL), data})
		out.parts++
	}
}
