# Written for the Azure CLI. Here, unchanged: gristmill az -- bash deploy-and-run.sh
set -e
cd "$(dirname "${BASH_SOURCE[0]}")"

ENDPOINT_NAME="digits"
DATA="../digits-by-file/data"

VERSION=$(az ml model create --name digits-mlp --type custom_model --path $DATA/model.pkl --query version -o tsv)
echo "model digits-mlp: version $VERSION"

az ml compute create -n batch-cluster --type amlcompute --min-instances 0 --max-instances 2 -o none
az ml batch-endpoint create --file endpoint.yml --name $ENDPOINT_NAME -o none
az ml batch-deployment create --file deployment.yml --endpoint-name $ENDPOINT_NAME --set-default -o none
DEPLOYMENT_NAME=$(az ml batch-endpoint show --name $ENDPOINT_NAME --query defaults.deployment_name -o tsv)
echo "endpoint $ENDPOINT_NAME: goes to $DEPLOYMENT_NAME"

JOB_NAME=$(az ml batch-endpoint invoke --name $ENDPOINT_NAME --input $DATA/images --input-type uri_folder --query name -o tsv)
az ml job stream -n $JOB_NAME
STATUS=$(az ml job show -n $JOB_NAME --query status -o tsv)
echo "every image: $STATUS"
if [[ $STATUS != "Completed" ]]; then
  exit 1
fi
az ml job download --name $JOB_NAME --output-name score --download-path scores

# A second deployment beside the first is tried with one image before all callers get it.
az ml batch-deployment create --file one-by-one.yml --endpoint-name $ENDPOINT_NAME -o none
JOB_NAME=$(az ml batch-endpoint invoke --name $ENDPOINT_NAME --deployment-name one-by-one \
  --input $DATA/images/0017-is-7.png --input-type uri_file --set output_file_name=one.csv --query name -o tsv)
az ml job stream -n $JOB_NAME
az ml job download --name $JOB_NAME --output-name score --download-path scores
echo "one image: $(cat scores/named-outputs/score/one.csv)"
az ml batch-endpoint update --name $ENDPOINT_NAME --set defaults.deployment_name=one-by-one -o none
az ml batch-endpoint show --name $ENDPOINT_NAME --query "{Name:name, Default:defaults.deployment_name}" -o table
az ml batch-deployment list-jobs --name one-by-one --endpoint-name $ENDPOINT_NAME --query "length(@)"
