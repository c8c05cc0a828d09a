/** The records of this folder's Avro schemas. Made by `kri types`: change the schemas, and run it again. */

/** digit-prediction.avsc: What a model says about one digit. */
export interface DigitPrediction {
  /** The id of the digit. */
  id: string
  /** The most probable digit, 0 to 9. */
  label: number
  /** One probability per digit, as the model gave it (32 bits: nothing is rounded). */
  probabilities: number[] | Float32Array
  /** The model that really produced this prediction. */
  modelId: string
}

/** digit.avsc: A handwritten digit, 8 by 8 pixels, row by row. */
export interface Digit {
  /** Identifies the image. */
  id: string
  /** 64 grey values from 0 to 16. */
  pixels: number[]
}
